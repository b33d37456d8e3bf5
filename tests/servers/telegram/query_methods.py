"""The methods of the Bot API that answer presses of buttons and inline queries."""

from __future__ import annotations

from tests.servers.telegram.account import Account
from tests.servers.telegram.protocol import ALERT_LIMIT, Json
from tests.servers.telegram.refusals import bad_request, checked_markup, checked_text
from tests.servers.telegram.targets import check_query


def answer_callback_query(account: Account, parameters: Json) -> bool:
    check_query(account, parameters.get("callback_query_id", ""))
    if len(parameters.get("text", "")) > ALERT_LIMIT:
        raise bad_request("MESSAGE_TOO_LONG")
    account.callback_answers[parameters["callback_query_id"]] = parameters
    return True


def answer_inline_query(account: Account, parameters: Json) -> bool:
    check_query(account, parameters.get("inline_query_id", ""))
    identifiers = [result["id"] for result in parameters["results"]]
    if len(identifiers) > 50:
        raise bad_request("RESULTS_TOO_MUCH")
    if len(set(identifiers)) < len(identifiers):
        raise bad_request("RESULT_ID_DUPLICATE")
    if not all(1 <= len(identifier.encode()) <= 64 for identifier in identifiers):
        raise bad_request("RESULT_ID_INVALID")
    for result in parameters["results"]:
        _check_result(result)
    account.inline_answers[parameters["inline_query_id"]] = parameters
    return True


def _check_result(result: Json) -> None:
    content = result.get("input_message_content", {})
    if "message_text" in content:
        checked_text({**content, "text": content["message_text"]}, "MESSAGE_TOO_LONG")
    checked_markup(result)


METHODS = (answer_callback_query, answer_inline_query)
