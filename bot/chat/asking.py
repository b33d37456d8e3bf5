"""What is asked of a model for a quote, a reply or a comparison, and which of several texts is the best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from bot.chat import prompts
from bot.chat.choice import best_of, best_reply
from bot.chat.generation import FinishReason, GenerationRequest
from bot.chat.messages import ConversationKey, MessageKind, Role, StoredMessage, Style
from bot.chat.model import Model
from bot.chat.ports import AcceptedJob
from bot.chat.quotes import finished_quote, visible_beginning
from bot.chat.replies import finished_reply, visible_reply
from bot.chat.served import Served
from bot.chat.worn_turns import WornTurns
from bot.chat.writing import Wanted
from bot.settings import ChatSettings, QuoteSettings

_WEARING = 1_000  # quotes whose turns of phrase are counted as worn


class Asking:
    """Requests by the settings; `deadline_s` is in seconds. Knows which turns of phrase were given lately."""

    def __init__(self, chat: ChatSettings, quote: QuoteSettings, deadline_s: float) -> None:
        self._chat = chat
        self._quote = quote
        self._deadline_s = deadline_s
        self._worn = WornTurns(_WEARING)

    def gave(self, quote: str) -> None:
        """Somebody was given a quote, whose turns of phrase wear by that."""
        self._worn.add(quote)

    def to_compare(self, model: Model, job: AcceptedJob, about: MessageKind) -> GenerationRequest:
        """What two replies are drawn for; a message is answered without what was said before."""
        if about is MessageKind.QUOTE:
            return self.quote_request(model, job.text, job.key.person, None, None)
        message = StoredMessage(job.message_id, None, Role.USER, MessageKind.CHAT, job.text)
        return self.chat_request(model, job.key, [message], None)

    def chat_request(
        self, model: Model, key: ConversationKey, history: Sequence[StoredMessage], seed: int | None
    ) -> GenerationRequest:
        """The next reply of a conversation."""
        return prompts.chat_request(
            model,
            self._chat.system_prompt,
            history,
            key,
            max_tokens=self._chat.reply_max_tokens,
            seed=seed,
            deadline_s=self._deadline_s,
        )

    def quote_request(
        self, model: Model, keyword: str, person: str, style: Style | None, seed: int | None
    ) -> GenerationRequest:
        """A quote on a keyword; `person` is whom the queue is to be fair to."""
        return prompts.quote_request(
            model,
            keyword,
            person=person,
            style=style,
            max_tokens=self._quote.max_tokens,
            seed=seed,
            deadline_s=self._deadline_s,
        )

    def wanted_quote(self, served: Served, request: GenerationRequest, keyword: str, seen: Sequence[str]) -> Wanted:
        """A quote that was not `seen` lately; the judge that came with the model, if any, helps to choose it."""
        judge = served.judge
        asked = prompts.asked_keyword(served.model.quote_prompt, keyword)
        return Wanted(
            replace(request, states=judge is not None and judge.of_readers),
            seen,
            self._quote.attempts,
            visible_beginning,
            _quote_of,
            lambda quotes: best_of(asked, quotes, seen, judge, partial(self._worn.worn, asked)),
        )

    def wanted_reply(self, served: Served, request: GenerationRequest, said: str, seen: Sequence[str]) -> Wanted:
        """A reply to all that was `said`, and that was not `seen` lately; chosen as `wanted_quote` is."""
        judge = served.judge
        return Wanted(
            replace(request, states=judge is not None and judge.of_replies),
            seen,
            self._chat.attempts,
            visible_reply,
            finished_reply,
            lambda replies: best_reply(said, replies, judge),
        )


def _quote_of(text: str, reason: FinishReason) -> str | None:
    return finished_quote(text)
