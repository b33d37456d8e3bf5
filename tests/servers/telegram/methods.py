"""All methods of the Bot API that the bot may call, and how a call finds its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from inspect import isawaitable

from tests.servers.telegram import account_methods, message_methods, query_methods
from tests.servers.telegram.account import Account
from tests.servers.telegram.protocol import Json
from tests.servers.telegram.refusals import Refusal
from tests.servers.telegram.requests import Call

Method = Callable[[Account, Json], object]
PARTS = (account_methods, message_methods, query_methods)
METHODS: dict[str, Method] = {method.__name__: method for part in PARTS for method in part.METHODS}


async def perform(account: Account, call: Call) -> object:
    """Carry a call out and return its result."""
    method = METHODS.get(re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", call.method))
    if method is None:
        raise Refusal(404, "Not Found: method not found")
    result = method(account, call.parameters)
    if isawaitable(result):
        result = await result
    if call.method == "sendMessageDraft":
        account.drafts.append(call)
    return result
