"""Which of Telegram's updates are meant for the bot, and which of them are one paste."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Chat, Message, MessageEntity, Update, User

from bot.platforms.splitting import length
from bot.platforms.telegram_updates import (
    NEAR_LIMIT,
    Me,
    asked_better,
    growing_pastes,
    may_go_on,
    paste_groups,
    read_messages,
)

ME = Me(1, "quotesmith_bot")
BOT = User(1, "Quotesmith", is_bot=True, username="quotesmith_bot")
ADA, BOB = User(7, "Ada", is_bot=False), User(8, "Bob", is_bot=False)
PRIVATE, GROUP = Chat(7, "private"), Chat(-100, "supergroup")
NOW = datetime(2026, 11, 26, tzinfo=UTC)
NUMBERS = count(1)


def update(text: str | None, user: User = ADA, chat: Chat = PRIVATE, *, after_s: float = 0.0, **more: object) -> Update:
    number = next(NUMBERS)
    entities = []
    if text and "@quotesmith_bot" in text and not text.startswith("/"):
        start = len(text[: text.index("@")].encode("utf-16-le")) // 2
        entities = [MessageEntity(MessageEntity.MENTION, start, len("@quotesmith_bot"))]
    at = NOW + timedelta(seconds=after_s)
    message = Message(number, at, chat, from_user=user, text=text, entities=entities, **more)  # type: ignore[arg-type]
    return Update(number, message=message)


def heard(one: Update) -> str | None:
    incoming = read_messages([one], ME, "en")
    return incoming.text if incoming is not None else None


@pytest.mark.parametrize(
    ("text", "chat", "as_heard"),
    [
        ("hello", PRIVATE, "hello"),
        ("hello", GROUP, None),
        ("👩‍🚀 @quotesmith_bot hello", GROUP, "👩‍🚀  hello"),
        ("/quote sea", GROUP, "/quote sea"),
        ("/quote@quotesmith_bot sea", GROUP, "/quote sea"),
        ("/quote@QuoteSmith_Bot sea", GROUP, "/quote sea"),
        ("/quote@other_bot sea", GROUP, None),
        ("/weather", GROUP, None),
        ("/weather@quotesmith_bot", GROUP, "/weather"),
        ("/weather", PRIVATE, "/weather"),
        ("/help@other_bot", PRIVATE, None),
    ],
)
def test_the_bot_hears_what_is_said_to_it(text: str, chat: Chat, as_heard: str | None) -> None:
    assert heard(update(text, chat=chat)) == as_heard


def test_a_reply_to_the_bot_is_heard_and_one_to_somebody_else_is_not() -> None:
    mine = Message(50, NOW, GROUP, from_user=BOT, text="A quote.")
    theirs = Message(51, NOW, GROUP, from_user=BOB, text="A joke.")
    assert heard(update("nice", chat=GROUP, reply_to_message=mine)) == "nice"
    assert heard(update("nice", chat=GROUP, reply_to_message=theirs)) is None


def test_bots_and_changes_of_the_chat_are_not_heard() -> None:
    assert heard(update("hello", user=User(9, "Other", is_bot=True))) is None
    assert heard(update(None, new_chat_title="New")) is None


def test_a_topic_is_a_place_of_its_own_and_a_reply_thread_is_none() -> None:
    topic = update("/quote sea", chat=GROUP, message_thread_id=5, is_topic_message=True)
    thread = update("/quote sea", chat=GROUP, message_thread_id=5)
    read = [read_messages([one], ME, "en") for one in (topic, thread)]
    assert [incoming.key.thread_id for incoming in read if incoming is not None] == ["5", ""]


def test_only_the_answer_to_the_bots_question_is_a_better_wording() -> None:
    question = Message(50, NOW, PRIVATE, from_user=BOT, text="Reply with your wording. [№12]")
    copied = Message(51, NOW, PRIVATE, from_user=BOB, text="Reply with your wording. [№12]")
    answers = [update("better", reply_to_message=replied).message for replied in (question, copied)]
    assert [asked_better(answer, ME) for answer in answers if answer is not None] == [12, None]


def test_a_paste_is_one_message_whatever_others_say_meanwhile() -> None:
    first, second = update("a" * 4_096), update("b" * 4_000)
    between, last = update("hello", user=BOB, chat=GROUP), update("the end")
    groups = paste_groups([first, between, second, last])
    assert groups == [[first, second, last], [between]]
    incoming = read_messages(groups[0], ME, "en")
    assert incoming is not None and incoming.text == "a" * 4_096 + "b" * 4_000 + "the end"
    assert len(incoming.events) == 6


def test_a_paste_may_go_on_until_a_short_message_ends_it() -> None:
    assert may_go_on([update("a" * 4_096)]) and not may_go_on([update("a" * 4_096), update("end")])


def test_what_is_said_later_and_a_command_are_no_part_of_a_paste() -> None:
    begun, rest = update("a" * 4_096), update("b" * 4_000, after_s=2)
    for other in (update("/forget me", after_s=3), update("hello", after_s=2_400)):
        assert paste_groups([begun, rest, other]) == [[begun, rest], [other]]
    path = update("/usr/bin is where it lies", after_s=3)
    assert paste_groups([begun, rest, path]) == [[begun, rest, path]]


def test_a_paste_grows_no_more_once_its_person_has_said_something_else() -> None:
    begun, elsewhere = update("a" * 4_096), update("hello", chat=GROUP, after_s=1)
    assert growing_pastes(paste_groups([begun, elsewhere])) == [[begun]]
    later = update("/forget me", after_s=1)
    assert growing_pastes(paste_groups([begun, elsewhere, later])) == []


@given(st.lists(st.tuples(st.sampled_from([ADA, BOB]), st.integers(1, 4_096)), max_size=40))
def test_every_update_is_in_one_group_in_its_persons_order(said: list[tuple[User, int]]) -> None:
    updates = [update("x" * size, user=user) for user, size in said]
    groups = paste_groups(updates)
    assert sorted(one.update_id for group in groups for one in group) == [one.update_id for one in updates]
    for group in groups:
        assert [one.update_id for one in group] == sorted(one.update_id for one in group)
        assert len({one.message.from_user for one in group if one.message is not None}) == 1
        assert all(length(one.message.text or "") >= NEAR_LIMIT for one in group[:-1] if one.message is not None)
