"""Writes quotes that nobody asked for yet, for the keywords that are asked for, while nobody waits."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing

from bot.chat.asking import Asking
from bot.chat.ports import PooledQuote, QuotePool
from bot.chat.resting import Resting
from bot.chat.safety import concern_in_keyword
from bot.chat.served import Served, Serving
from bot.chat.writing import Writer, Written
from bot.errors import GenerationError, WorkerCrashed
from bot.settings import QuoteSettings

log = logging.getLogger(__name__)

_FOR_NOBODY = "quotesmith:pool"  # whom the queue is fair to when a quote is written for nobody yet


class WritingAhead:
    """Fills the pool of quotes; `clock` gives seconds that never go back."""

    def __init__(
        self,
        serving: Serving,
        writer: Writer,
        asking: Asking,
        pool: QuotePool,
        quote: QuoteSettings,
        clock: Callable[[], float],
    ) -> None:
        self._serving = serving
        self._writer = writer
        self._asking = asking
        self._pool = pool
        self._quote = quote
        self._resting = Resting(clock)
        self._ahead: asyncio.Task[bool] | None = None  # what is being written

    async def write(self) -> bool:
        """Write one quote for a keyword that people ask for, if nobody waits; False when nothing new came of any.

        A keyword that nothing new came of is left alone for a while, longer each time. All is given up as soon as there
        is something to write for a person: many candidates of a large model would hold their places for seconds.

        While a model is being tried out, both write: quotes ahead of time have the whole choice, and are the better for
        it.
        """
        if not self._quote.pool_depth:
            return False
        async with AsyncExitStack() as holds:
            for served in [one.held(holds) for one in self._serving.all]:
                if all(one.generator.idle for one in self._serving.all):
                    self._ahead = writing = asyncio.create_task(self._write_for(served), name="writing ahead")
                    try:
                        await asyncio.wait([writing])
                    finally:
                        writing.cancel()  # the bot stops
                    if writing.cancelled():
                        return False
                    if writing.result():
                        return True
        return False

    async def people_first(self) -> None:
        """Give up what is written ahead, and wait until its places are free.

        To be called as soon as it is known that the model is needed, and again just before it is asked: something more
        may have been begun meanwhile.
        """
        if self._ahead is not None and self._ahead.cancel():
            await asyncio.wait([self._ahead])

    async def _write_for(self, served: Served) -> bool:
        model = served.model.sha256
        asked_for = await self._pool.wanted(model, self._quote.pool_depth, self._quote.pool_keywords)
        # Whoever asks for one of the others is answered with fixed words, so no model is asked for a quote on it.
        wanted = [keyword for keyword in asked_for if concern_in_keyword(keyword) is None]
        for keyword in self._resting.awake(model, wanted):
            try:
                new, why = await self._write_one_ahead(served, keyword), "the model wrote one that was there before"
            except WorkerCrashed:
                self._resting.nothing_new(model, keyword)  # it may be what the worker dies of
                raise
            except GenerationError as error:
                new, why = False, str(error)
            if new:
                self._resting.something_new(model, keyword)
                return True
            if self._resting.nothing_new(model, keyword):
                log.warning("no new quote came for a keyword that is asked for often, which is now tried less: %s", why)
        return False

    async def _write_one_ahead(self, served: Served, keyword: str) -> bool:
        request = self._asking.quote_request(served.model, keyword, _FOR_NOBODY, None, None)
        wanted = self._asking.wanted_quote(served, request, keyword, ())
        async with aclosing(self._writer.best(served, wanted, self._quote.candidates)) as events:
            async for event in events:
                if isinstance(event, Written):
                    quote = PooledQuote(keyword, event.text, event.record.finished.completion_tokens)
                    return await self._pool.put(quote, served.model.sha256)
        return False
