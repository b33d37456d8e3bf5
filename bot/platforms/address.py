"""Where an answer goes, in words that outlive the process: plain data, written into the job as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from bot.platforms.catalogue import ENGLISH, Texts


@dataclass(frozen=True, slots=True)
class Address:
    """A place on a platform, and how to speak there.

    `chat_id` is where messages are put: a Discord channel or thread, a Telegram chat. `thread_id` is a Telegram topic,
    `reply_to` the message that is answered. `token` is a Discord interaction's, which serves until `token_until` (epoch
    seconds). `private` says that nobody but `user_id` may see the answer, `one_to_one` that nobody else is there, and
    `inline` is the id of a Telegram inline query, which is answered at once or never. With `mention` nothing at the
    place points at the person, so that the answer has to call them.
    """

    chat_id: str
    user_id: str
    thread_id: str = ""
    reply_to: str = ""
    token: str = ""
    token_until: float = 0.0
    private: bool = False
    one_to_one: bool = False
    inline: str = ""
    mention: bool = False
    language: str = ENGLISH

    def to_json(self) -> str:
        """The text that `from_json` reads; what is at its default is left out."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, text: str) -> Address:
        """The address; what an older version did not write is at its default."""
        return cls(**json.loads(text))

    @property
    def texts(self) -> Texts:
        """The sentences in the person's language."""
        return Texts(self.language)
