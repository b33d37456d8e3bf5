"""The commands that need no model: help, new, votes, a person's rights, and what operators may do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.chat.messages import Platform, Vote, VoteSource
from bot.chat.ports import Place, PlatformRecords
from bot.chat.service import ChatService
from bot.errors import InputError
from bot.platforms.admission import Admission
from bot.platforms.answering import Answering
from bot.platforms.catalogue import Texts
from bot.platforms.commands import Action, Command, choice
from bot.platforms.incoming import Incoming
from bot.platforms.replies import STARTED_OVER, STOPPED, THANKS_DOWN, THANKS_UP
from bot.platforms.rights import Rights

_FAVORITES = 10
# Nothing that a person says later depends on these, so that nothing waits for them.
TAKE_LONG = frozenset({Action.STATS, Action.MODEL})


class Operations(Protocol):
    """What operators may look at and change while the bot runs."""

    async def statistics(self) -> Mapping[str, int | str]:
        """The counts that the sentence `stats` names."""
        ...

    async def canary_figures(self) -> Mapping[str, int | str] | None:
        """What the sentence `stats-canary` names; None where no model was ever tried out."""
        ...

    def models(self) -> Sequence[str]:
        """The names of the models that can be used."""
        ...

    def model_in_use(self) -> str:
        """The name of the model that answers."""
        ...

    async def use_model(self, name: str) -> bool:
        """Answer with that model from now on; False where it answered already. Raises ModelError."""
        ...


class Announcer(Protocol):
    """Tells the chats that want to know."""

    async def announce(self, sentence: str, **values: str) -> None:
        """Say the sentence of that name in every such chat, in its language."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an errand has to say; `data` is what goes along with it as a file."""

    text: str
    data: Mapping[str, object] | None = None


class Errands:
    """Runs the errands of one platform's people."""

    def __init__(
        self,
        platform: Platform,
        service: ChatService,
        answering: Answering,
        admission: Admission,
        rights: Rights,
        records: PlatformRecords,
        operations: Operations,
        announcer: Announcer,
    ) -> None:
        self._platform = platform
        self._service = service
        self._answering = answering
        self._admission = admission
        self._rights = rights
        self._records = records
        self._operations = operations
        self._announcer = announcer

    def is_operator(self, incoming: Incoming) -> bool:
        """The settings name this person as an operator."""
        return incoming.key.user_id in self._admission.lists.operators

    def model_names(self, incoming: Incoming) -> Sequence[str]:
        """The models that an operator may choose; nobody else is shown any."""
        return self._operations.models() if self.is_operator(incoming) else ()

    async def run(self, incoming: Incoming, command: Command) -> Outcome:
        """Carry out a command. Raises InputError for one that is wrong, or not for this person or place."""
        texts = incoming.address.texts
        match command.action:
            case Action.HELP:
                return Outcome(self._help(incoming, texts))
            case Action.START:
                return Outcome(texts("welcome"))
            case Action.NEW:
                await self._service.start_over(incoming.key)
                return Outcome(texts(STARTED_OVER))
            case Action.GOOD:
                await self._service.vote(incoming.key, Vote.UP, VoteSource.COMMAND)
                return Outcome(texts(THANKS_UP))
            case Action.BAD:
                await self._service.vote(incoming.key, Vote.DOWN, VoteSource.COMMAND)
                return Outcome(texts(THANKS_DOWN))
            case Action.FAVORITES:
                return Outcome(await self._favorites(incoming, texts))
            case Action.CANCEL:
                return Outcome(self._cancel(incoming, texts))
            case Action.PRIVACY:
                return Outcome(self._rights.privacy(texts))
            case Action.CONSENT:
                granted = choice(command, "on", "off") == "on"
                return Outcome(await self._rights.consent(incoming.key.user_id, granted, texts))
            case Action.MYDATA:
                return await self._my_data(incoming, choice(command, "show", "export") == "export", texts)
            case Action.FORGET:
                choice(command, "me")
                return Outcome(await self._forget(incoming, texts))
            case _:
                return Outcome(await self._operate(incoming, command, texts))

    def _help(self, incoming: Incoming, texts: Texts) -> str:
        more = f"\n{texts('help-operator')}" if self.is_operator(incoming) else ""
        return texts("help") + more

    def _cancel(self, incoming: Incoming, texts: Texts) -> str:
        jobs = self._answering.of_person(incoming.key.user_id)
        for job_id in jobs:
            self._answering.cancel(job_id)
        return texts(STOPPED if jobs else "stopped-already")

    # -- a person's rights ------------------------------------------------------------------------------------------

    async def _my_data(self, incoming: Incoming, export: bool, texts: Texts) -> Outcome:
        _check_unseen(incoming)
        user_id = incoming.key.user_id
        if export:
            return Outcome(texts("mydata-file"), await self._rights.exported(user_id))
        return Outcome(await self._rights.shown(user_id, texts))

    async def _favorites(self, incoming: Incoming, texts: Texts) -> str:
        _check_unseen(incoming)  # they come from all of the person's chats, the private one too
        kept = await self._service.favorites(incoming.key, _FAVORITES)
        if not kept:
            return texts("favorites-none")
        return "\n".join([texts("favorites", count=len(kept)), *(f"⭐ {' '.join(quote.split())}" for quote in kept)])

    async def _forget(self, incoming: Incoming, texts: Texts) -> str:
        said = await self._rights.forgotten(incoming.key.user_id, texts)
        for job_id in self._answering.of_person(incoming.key.user_id):
            self._answering.cancel(job_id)
        return said

    # -- operators --------------------------------------------------------------------------------------------------

    async def _operate(self, incoming: Incoming, command: Command, texts: Texts) -> str:
        if not self.is_operator(incoming):
            raise InputError("Only the bot's operators may do that; their ids stand in its settings.", "only-operators")
        if command.action is Action.STATS:
            canary = await self._operations.canary_figures()
            told = "\n" + texts("stats-canary", **canary) if canary else ""
            return texts("stats", **await self._operations.statistics()) + told
        if command.action is Action.ANNOUNCE:
            wanted = choice(command, "on", "off") == "on"
            place = Place(incoming.key.chat_id, incoming.key.thread_id)
            await self._records.announce_in(self._platform, place, wanted)
            return texts("announcing" if wanted else "not-announcing")
        return await self._model(command, texts)

    async def _model(self, command: Command, texts: Texts) -> str:
        what, _, name = command.text.partition(" ")
        if choice(Command(command.action, what), "list", "use") == "list":
            active = self._operations.model_in_use()
            names = "\n".join(f"{'▸' if one == active else '·'} {one}" for one in self._operations.models())
            return texts("model-list", names=names)
        if await self._operations.use_model(name.strip()):
            await self._announcer.announce("announce-model", model=name.strip())
        return texts("model-used", model=name.strip())


def _check_unseen(incoming: Incoming) -> None:
    if not incoming.unseen:
        raise InputError("That is between the two of us: write it to me in our private chat.", "only-in-private")
