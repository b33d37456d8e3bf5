"""What the Bot API refuses: errors, and the checks of texts and buttons that lead to them."""

from __future__ import annotations

from aiohttp import web

from tests.servers.telegram.protocol import BUTTON_DATA_LIMIT, TEXT_LIMIT, Json
from tests.servers.telegram.texts import found_entities, utf16_length


class Refusal(Exception):
    """An error that the Bot API answers with."""

    def __init__(
        self, code: int, description: str, retry_after: int | None = None, *, migrate_to: int | None = None
    ) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        given = {"retry_after": retry_after, "migrate_to_chat_id": migrate_to}
        self.parameters = {name: value for name, value in given.items() if value is not None}

    def response(self) -> web.Response:
        body: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return web.json_response(body, status=self.code)


def bad_request(reason: str) -> Refusal:
    return Refusal(400, f"Bad Request: {reason}")


def checked_text(parameters: Json, too_long: str) -> Json:
    """The text of a message and its entities, as Telegram stores them."""
    if parameters.get("parse_mode"):
        raise bad_request("unsupported parse_mode")  # this server reads none
    text = str(parameters.get("text", ""))
    if not text:
        raise bad_request("message text is empty")
    if not text.strip():
        raise bad_request("text must be non-empty")
    if utf16_length(text.strip()) > TEXT_LIMIT:
        raise bad_request(too_long)
    entities = parameters.get("entities") or found_entities(text.strip())
    return {"text": text.strip()} | ({"entities": entities} if entities else {})


def checked_markup(parameters: Json) -> Json:
    """The buttons under a message; keyboards of other kinds belong to no message."""
    markup = parameters.get("reply_markup") or {}
    for button in (button for row in markup.get("inline_keyboard", []) for button in row):
        if not 1 <= len(button.get("callback_data", "-").encode()) <= BUTTON_DATA_LIMIT:
            raise bad_request("BUTTON_DATA_INVALID")
        if not button.get("text"):
            raise bad_request("can't parse inline keyboard button: Text must be non-empty")
    return {"reply_markup": markup} if markup.get("inline_keyboard") else {}
