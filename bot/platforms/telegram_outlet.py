"""Puts text before people on Telegram: messages, drafts, buttons, files; decides nothing about when."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from telegram import Bot, ForceReply, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, ReplyParameters
from telegram.constants import ChatAction, FileSizeLimit, MessageLimit
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from bot.chat.ports import Place
from bot.platforms.address import Address
from bot.platforms.data_files import DataFile
from bot.platforms.outlet import AddressOver, Button, ChatCooldown, ChatGone, ChatUnreachable, Outlet, PostGone

_IN_A_ROW = 3
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_UNCHANGED = "message is not modified"
# What the server says of a message that cannot be edited any more; its other complaints are about the chat.
_NO_SUCH_POST = ("message to edit not found", "message can't be edited", "message_id_invalid", "message not found")


class TelegramOutlet(Outlet):
    """The port `Outlet` on the Bot API, with the limits of https://core.telegram.org/bots/faq."""

    limit = int(MessageLimit.MAX_TEXT_LENGTH)
    file_limit = int(FileSizeLimit.FILESIZE_UPLOAD)
    typing_s = 4.5  # the sign lasts 5 s
    edit_s = 3.0
    private_edit_s = 1.5
    draft_s = 0.8

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._moved: dict[str, str] = {}  # groups that became supergroups: what the chat is called now

    def address_of(self, place: Place) -> Address:
        """The chat, or the topic in it."""
        return Address(place.chat_id, "", thread_id=place.thread_id)

    def lasting(self, address: Address) -> Address:
        """The chat, or the supergroup that it has become, in which no message of the group can be answered."""
        moved = self._moved.get(address.chat_id)
        return replace(address, chat_id=moved, thread_id="", reply_to="") if moved else address

    def creates_once(self, address: Address) -> bool:
        """Telegram knows no nonce."""
        return False

    def small_print(self, paragraph: str) -> str:
        """Telegram has one size of text: a sign at its beginning sets the paragraph apart."""
        return f"ℹ️ {paragraph}"

    def drafts(self, address: Address) -> bool:
        """Telegram has them in private chats only."""
        return address.one_to_one and not address.inline

    async def typing(self, address: Address) -> None:
        """Show that the bot is typing."""
        address = self.lasting(address)
        async with self._translated(address):
            await self._bot.send_chat_action(_chat(address), ChatAction.TYPING, message_thread_id=_topic(address))

    async def draft(self, address: Address, draft_id: int, text: str) -> None:
        """Show the growing text; an empty one is shown as thinking."""
        async with self._translated(address):
            await self._bot.send_message_draft(_chat(address), draft_id, text, message_thread_id=_topic(address))

    async def create(self, address: Address, text: str, buttons: Sequence[Button], nonce: str) -> str:
        """Send a message; Telegram knows no nonce."""
        return await self._send(address, text, keyboard(buttons))

    async def ask(self, address: Address, text: str) -> str:
        """Send a message that the person's program answers with a reply."""
        return await self._send(address, text, ForceReply(selective=True))

    async def edit(self, address: Address, post_id: str, text: str, buttons: Sequence[Button]) -> None:
        """Change a message."""
        async with self._translated(address, editing=True):
            await self._bot.edit_message_text(
                text,
                chat_id=_chat(address),
                message_id=int(post_id),
                reply_markup=keyboard(buttons),
                link_preview_options=_NO_PREVIEW,
            )

    async def send_file(self, address: Address, text: str, file: DataFile, nonce: str) -> str:
        """Send a message with a file; Telegram knows no nonce."""
        async with self._translated(address):
            message = await self._bot.send_document(
                _chat(address), file.content, caption=text, filename=file.name, message_thread_id=_topic(address)
            )
        return str(message.message_id)

    async def _send(self, address: Address, text: str, markup: InlineKeyboardMarkup | ForceReply | None) -> str:
        if address.private and not address.one_to_one:  # for this person alone: in their own chat with the bot
            address = Address(address.user_id, address.user_id, one_to_one=True, language=address.language)
        answered = int(address.reply_to) if address.reply_to else None
        async with self._translated(address):
            message = await self._bot.send_message(
                _chat(address),
                text,
                message_thread_id=_topic(address),
                reply_parameters=ReplyParameters(answered, allow_sending_without_reply=True) if answered else None,
                reply_markup=markup,
                link_preview_options=_NO_PREVIEW,
            )
        return str(message.message_id)

    @asynccontextmanager
    async def _translated(self, address: Address, *, editing: bool = False) -> AsyncIterator[None]:
        """The library's errors as those of the port. A bad request is one of its network errors, so comes first."""
        try:
            yield
        except RetryAfter as error:
            raise ChatCooldown(retry_after_s(error)) from error
        except ChatMigrated as error:
            self._moved[address.chat_id] = str(error.new_chat_id)
            raise AddressOver(str(error)) from error
        except Forbidden as error:
            raise ChatGone(str(error)) from error
        except BadRequest as error:
            said = str(error).lower()
            if editing and _UNCHANGED in said:
                return
            if editing and any(what in said for what in _NO_SUCH_POST):
                raise PostGone(str(error)) from error
            raise ChatGone(str(error)) from error
        except NetworkError as error:
            raise ChatUnreachable(reason_of(error)) from error
        except TelegramError as error:  # such as a token that was revoked: the operator may mend it
            raise ChatUnreachable(reason_of(error)) from error


def keyboard(buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
    """The buttons under a message, in short rows; None without any."""
    if not buttons:
        return None
    made = [InlineKeyboardButton(button.label, callback_data=button.data) for button in buttons]
    in_a_row = _IN_A_ROW if len(made) <= _IN_A_ROW else 2
    return InlineKeyboardMarkup([made[start : start + in_a_row] for start in range(0, len(made), in_a_row)])


def reason_of(error: TelegramError) -> str:
    """What went wrong, without the page that a server in between sent in place of an answer."""
    return str(error).partition(". Parsing the server response")[0]


def retry_after_s(error: RetryAfter) -> float:
    """Seconds, whichever type the library uses for them: it is about to change it, and warns at every look."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wait: int | timedelta = error.retry_after
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _chat(address: Address) -> int:
    """The chat's id; raises ChatGone where there is none to write to."""
    if address.inline:
        raise ChatGone("an inline query is answered at once or never")
    return int(address.chat_id)


def _topic(address: Address) -> int | None:
    return int(address.thread_id) if address.thread_id else None
