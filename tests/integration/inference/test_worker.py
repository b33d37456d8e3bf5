"""The worker client with its real process on the embedded model: what a person gets, also when the process dies."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.chat.generation import Finished, FinishReason, GenerationRequest, Queued, Sampling, TextDelta
from bot.chat.messages import Role, Turn
from bot.chat.quotes import finished_quote, quote_grammar
from bot.composition import STARTER
from bot.errors import BusyError, ModelInvalid, ModelTooLarge, WorkerCrashed
from bot.inference import wire, worker_client
from bot.inference.worker_client import WorkerClient
from bot.inference.worker_process import STEP_S
from bot.models.gguf_header import read_header
from bot.settings import InferenceSettings
from tests.integration.inference import recurrent_model
from tests.integration.inference.conftest import StandIn, StartWorker, options

# The embedded model ends its texts after a sentence; a grammar keeps it from that.
LONG = GenerationRequest(
    person="a",
    prompt="Once upon a time there was",
    max_tokens=200,
    seed=7,
    sampling=Sampling(temperature=0.9),
    grammar="root ::= [a-zA-Z ,.]{2000,3000}",
)
ALLOWED = InferenceSettings.model_json_schema()["properties"]


async def written(client: WorkerClient, request: GenerationRequest) -> tuple[str, Finished]:
    """The whole text and how it ended."""
    text, end = "", None
    async with aclosing(client.generate(request)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
            elif isinstance(event, Finished):
                end = event
    assert end is not None
    return text, end


def quote(keyword: str, seed: int, person: str = "a") -> GenerationRequest:
    return GenerationRequest(
        person=person, prompt=f"Keyword: {keyword}\nQuote:", max_tokens=80, seed=seed, grammar=quote_grammar()
    )


async def test_a_seed_decides_the_text(start_worker: StartWorker) -> None:
    client = await start_worker()
    first, end = await written(client, LONG)
    again, _ = await written(client, LONG)
    other, _ = await written(client, replace(LONG, seed=8))
    assert end.completion_tokens > 20 and first == again != other


async def test_many_people_each_get_a_closed_quote(start_worker: StartWorker) -> None:
    client = await start_worker(slots=8, context_tokens=2048, max_waiting=64)
    answers = await asyncio.gather(*(written(client, quote("courage", n, f"p{n}")) for n in range(24)))
    quotes = [finished_quote(text) for text, _ in answers]
    assert all(quotes) and len(set(quotes)) > 12


async def test_a_killed_worker_costs_nobody_a_word(start_worker: StartWorker, caplog: pytest.LogCaptureFixture) -> None:
    client = await start_worker()
    undisturbed, _ = await written(client, LONG)
    caplog.clear()
    text, end, killed = "", None, 0
    async with aclosing(client.generate(LONG)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
                if len(text) > 60 and not killed and client.pid is not None:
                    killed = client.pid
                    os.kill(killed, signal.SIGKILL)
            elif isinstance(event, Finished):
                end = event
    assert killed and end is not None and end.resumed == 1
    # Behind the cut other tokens may be drawn than without it: what was shown before stays, and the length fits.
    assert text[:60] == undisturbed[:60] and end.completion_tokens > 60 / 8
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1 and "started again" in lines[0].getMessage()


async def test_a_resumed_greedy_text_is_the_undisturbed_one(
    start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start_worker()
    # Of the prompts tried, the one whose second likeliest tokens are the farthest from the likeliest: a tie would be
    # broken by the last bit of a logit, which depends on how many tokens were computed at once.
    prompt = "Keyword: student\nQuote:"
    request = replace(LONG, prompt=prompt, sampling=Sampling(temperature=0.0), max_tokens=40, grammar=None)
    undisturbed, _ = await written(client, request)
    text, killed = "", False
    async with aclosing(client.generate(request)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
                if len(text) > 8 and not killed and client.pid is not None:
                    killed = True
                    os.kill(client.pid, signal.SIGKILL)
    assert killed and text == undisturbed
    assert "replies that go on from where they were: 1" in caplog.text


async def test_a_hanging_worker_is_replaced(start_worker: StartWorker) -> None:
    client = await start_worker(hang_timeout_s=3.0)
    text, stopped, end = "", False, None
    async with aclosing(client.generate(LONG)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
                if not stopped and client.pid is not None:
                    stopped = True
                    os.kill(client.pid, signal.SIGSTOP)
            elif isinstance(event, Finished):
                end = event
    assert stopped and end is not None and end.resumed == 1 and text


def test_a_worker_in_a_long_step_is_never_taken_for_one_that_hangs() -> None:
    assert ALLOWED["hang_timeout_s"]["minimum"] >= 2 * STEP_S


async def test_a_request_that_kills_every_worker_is_given_up(start_worker: StartWorker) -> None:
    client = await start_worker(max_resumes=1)
    request = replace(LONG, max_tokens=400)
    with pytest.raises(WorkerCrashed, match="given up"):
        async with aclosing(client.generate(request)) as events:
            async for event in events:
                if isinstance(event, TextDelta) and client.pid is not None:
                    os.kill(client.pid, signal.SIGKILL)
    text, _ = await written(client, quote("hope", 1, "b"))
    assert finished_quote(text)


async def test_an_abandoned_request_frees_its_place(start_worker: StartWorker) -> None:
    client = await start_worker(slots=1, max_waiting_per_person=1)
    async with aclosing(client.generate(replace(LONG, max_tokens=400))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    assert client.idle
    text, end = await written(client, quote("hope", 1))
    assert finished_quote(text) and end.queued_s < 5


async def test_the_deadline_gives_what_is_there(start_worker: StartWorker) -> None:
    client = await start_worker()
    _, end = await written(client, replace(LONG, deadline_s=0.0))
    assert end.reason is FinishReason.DEADLINE and end.completion_tokens == 0


async def test_the_deadline_holds_for_a_worker_that_hangs_too(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_client, "_DEADLINE_GRACE_S", 0.0)
    client = await start_worker(hang_timeout_s=3.0)
    hanging = client.pid
    assert hanging is not None
    os.kill(hanging, signal.SIGSTOP)
    _, end = await written(client, replace(LONG, deadline_s=0.1))
    assert (end.reason, end.resumed, client.pid) == (FinishReason.DEADLINE, 0, hanging)
    candidates = await client.generate_candidates(replace(LONG, deadline_s=0.1), 2)
    assert [one.finished.reason for one in candidates] == [FinishReason.DEADLINE] * 2
    text, end = await written(client, quote("hope", 1))  # by the next worker
    assert finished_quote(text) and end.resumed == 1 and client.pid != hanging


async def test_a_full_queue_says_so_at_once(start_worker: StartWorker) -> None:
    client = await start_worker(slots=1, max_waiting=1, max_waiting_per_person=2)
    first = asyncio.create_task(written(client, replace(LONG, max_tokens=300)))
    second = asyncio.create_task(written(client, replace(LONG, max_tokens=300, person="b")))
    await asyncio.sleep(0)  # both are asked for now
    with pytest.raises(BusyError, match="busy"):
        await written(client, replace(LONG, person="c"))
    first.cancel()
    assert (await second)[1].completion_tokens > 0


async def test_one_person_cannot_take_all_places(start_worker: StartWorker) -> None:
    client = await start_worker(max_waiting_per_person=2)
    running = [asyncio.create_task(written(client, LONG)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(BusyError, match="You already wait for 2"):
        await written(client, LONG)
    other, _ = await written(client, quote("hope", 3, "somebody else"))
    assert other
    await asyncio.gather(*running)


async def test_who_waits_hears_of_their_place(start_worker: StartWorker) -> None:
    client = await start_worker(slots=1)
    first = asyncio.create_task(written(client, replace(LONG, max_tokens=300)))
    await asyncio.sleep(0)
    places = []
    async with aclosing(client.generate(quote("hope", 1, "b"))) as events:
        async for event in events:
            if isinstance(event, Queued):
                places.append(event)
    await first
    assert places and places[0].position == 1 and places[0].eta_s is not None


async def test_a_conversation_decodes_only_what_is_new(start_worker: StartWorker) -> None:
    client = await start_worker()
    turns: list[Turn] = []
    for number in range(4):
        turns.append(Turn(Role.USER, f"tell me about day {number}"))
        request = GenerationRequest(person="a", turns=tuple(turns), conversation="c", max_tokens=12, seed=number)
        text, end = await written(client, request)
        turns.append(Turn(Role.ASSISTANT, text.strip()))
        if number:
            assert end.cached_tokens > 0.5 * end.prompt_tokens


async def test_no_reply_of_a_recurrent_model_knows_what_somebody_else_wrote(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    path = recurrent_model.write(tmp_path / "recurrent.gguf")

    async def replies(client: WorkerClient, person: str, *messages: str) -> list[tuple[str, int]]:
        """What a person gets for messages of one conversation, and the tokens that needed no decoding."""
        turns: list[Turn] = []
        given = []
        for message in messages:
            turns.append(Turn(Role.USER, message))
            request = GenerationRequest(person, tuple(turns), conversation=person, max_tokens=12, seed=1)
            text, end = await written(client, replace(request, sampling=Sampling(temperature=0.0)))
            turns.append(Turn(Role.ASSISTANT, text))
            given.append((text, end.cached_tokens))
        return given

    alone = await start_worker(path)
    expected = await replies(alone, "bob", "good morning, tell me something", "and then")
    beside_ada = await start_worker(path)
    await replies(beside_ada, "ada", "good morning, my diary says that I am afraid", "good night")
    assert await replies(beside_ada, "bob", "good morning, tell me something", "and then") == expected


async def test_candidates_of_a_recurrent_model_share_the_state_of_their_prompt(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    client = await start_worker(recurrent_model.write(tmp_path / "recurrent.gguf"))
    request = GenerationRequest("a", prompt="A quote about rain:", max_tokens=12, seed=1)
    request = replace(request, sampling=Sampling(temperature=0.0))
    text, _ = await written(client, request)
    assert {one.text for one in await client.generate_candidates(request, 4)} == {text}


async def test_a_long_message_that_is_shown_alone_stays_to_be_answered_again(start_worker: StartWorker) -> None:
    """No further turn is prepared in its place."""
    client = await start_worker()  # the embedded model is shown no other
    turns = (Turn(Role.USER, "there was rain and a fox " * 400),)
    request = GenerationRequest(person="a", turns=turns, conversation="c", max_tokens=12, seed=1)
    await written(client, request)
    _, end = await written(client, replace(request, seed=2))
    assert end.cached_tokens >= end.prompt_tokens - 1


ASSISTANT_ONLY_WITH_TEXT = (
    "{%- for m in messages -%}{%- if m.role == 'assistant' and not m.content -%}"
    "{{ raise_exception('Assistant message must have either content or tool calls.') }}{%- endif -%}"
    "{{ '<|' + m.role + '|>' + m.content }}{%- endfor -%}"
)
USER_ONLY_WITH_TEXT = ASSISTANT_ONLY_WITH_TEXT.replace("== 'assistant'", "== 'user'")


def with_template(path: Path, template: str) -> Path:
    """The embedded model with another template, which must not be longer than its own."""
    own = read_header(STARTER / "model.gguf").chat_template.encode()
    content = (STARTER / "model.gguf").read_bytes()
    path.write_bytes(content.replace(own, template.encode().ljust(len(own)), 1))
    return path


@pytest.mark.parametrize("template", [ASSISTANT_ONLY_WITH_TEXT, USER_ONLY_WITH_TEXT])
@pytest.mark.parametrize("stop", [("a",), ()])
async def test_a_template_that_takes_no_empty_turn_ends_no_worker(
    start_worker: StartWorker, tmp_path: Path, template: str, stop: tuple[str, ...]
) -> None:
    """The turns behind a reply, of which one has no text yet, are only thought of ahead of time."""
    client = await start_worker(with_template(tmp_path / "strict.gguf", template), history_messages=20)
    request = GenerationRequest("a", (Turn(Role.USER, "hello"),), conversation="c", max_tokens=8, seed=1)
    text, end = await written(client, replace(request, grammar='root ::= "a"', stop=stop))
    assert (text, end.resumed) == ("" if stop else "a", 0)


@pytest.mark.parametrize(
    "inference",
    [
        {"slots": ALLOWED["slots"]["maximum"]},
        {"batch_tokens": ALLOWED["batch_tokens"]["minimum"], "slots": 2, "prefill_chunk_tokens": 1},
    ],
)
async def test_whatever_the_settings_allow_can_be_served(start_worker: StartWorker, inference: dict[str, int]) -> None:
    client = await start_worker(**inference)
    text, end = await written(client, quote("hope", 1))
    assert finished_quote(text) and end.resumed == 0


async def test_a_worker_measures_its_rates_anew_when_the_bot_has_started(start_worker: StartWorker) -> None:
    client = await start_worker()
    at_start = await client.ready()
    async with asyncio.timeout(60):
        while client.facts == at_start:
            await asyncio.sleep(0.05)
    assert client.facts is not None and client.facts.batch_rate > 0
    assert replace(client.facts, batch_rate=1.0, stream_rate=1.0) == replace(at_start, batch_rate=1.0, stream_rate=1.0)


async def test_emoji_and_other_scripts_come_out_whole(start_worker: StartWorker) -> None:
    client = await start_worker()
    for keyword in ("mut 🦁", "勇気", "мужество", "شجاعة"):
        text, _ = await written(client, quote(keyword, 5))
        assert "\ufffd" not in text


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty.gguf"), (b"GGUF" + b"\0" * 100, "empty.gguf"), (b"not a model at all" * 50, "empty.gguf")],
)
async def test_a_file_that_is_no_model_is_refused_in_a_sentence(
    start_worker: StartWorker, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "empty.gguf"
    path.write_bytes(content)
    client = await start_worker(path, wait=False)
    with pytest.raises(ModelInvalid, match=said):
        await client.ready()
    with pytest.raises(ModelInvalid, match=said):
        await written(client, LONG)


async def test_candidates_are_other_texts_each_and_follow_from_the_seed(start_worker: StartWorker) -> None:
    client = await start_worker(slots=8, max_waiting_per_person=1)
    request = replace(quote("courage", 3), likelihood=True)
    first, again = [await client.generate_candidates(request, 6) for _ in range(2)]
    assert len({one.text for one in first}) > 3
    # Which texts share a batch decides the last bits of a logit, and so a word now and then; another seed never gives
    # the same quote, so one that is the same shows that it followed from its seed.
    assert any(one.text == other.text for one, other in zip(first, again, strict=True))
    assert [one.finished.seed for one in first] == [3, 4, 5, 6, 7, 8]
    assert all(0 < (one.finished.nats or 0) / one.finished.drawn < 10 for one in first)


async def test_candidates_have_their_prompt_decoded_once(start_worker: StartWorker) -> None:
    client = await start_worker(slots=8)
    # The greedy text of the resumed one above, for the same reason.
    greedy = replace(LONG, prompt="Keyword: student\nQuote:", sampling=Sampling(temperature=0.0), grammar=None)
    request = replace(greedy, max_tokens=40, likelihood=True, states=True)
    alone, _ = await written(client, request)
    found = await client.generate_candidates(request, 8)
    decoded = [one.finished.prompt_tokens - one.finished.cached_tokens for one in found]
    assert decoded[0] > 0 and decoded[1:] == [0] * 7
    assert {one.text for one in found} == {alone}


async def test_replies_to_choose_from_share_their_conversation_and_the_next_turn_goes_on_from_it(
    start_worker: StartWorker,
) -> None:
    client = await start_worker(slots=8)
    turns = (Turn(Role.USER, "my dog ate my homework, and now I have to write it again"),)
    request = GenerationRequest(person="a", turns=turns, conversation="c", max_tokens=40, seed=3, likelihood=True)
    found = await client.generate_candidates(request, 6)
    assert [one.finished.prompt_tokens - one.finished.cached_tokens for one in found][1:] == [0] * 5
    chosen = min(found, key=lambda one: one.finished.nats or 0)
    following = (*turns, Turn(Role.ASSISTANT, chosen.text.strip()), Turn(Role.USER, "yes"))
    _, end = await written(client, replace(request, turns=following))
    assert end.cached_tokens >= chosen.finished.prompt_tokens


async def test_who_waits_for_the_same_prompt_goes_on_where_its_first_asker_gives_up(start_worker: StartWorker) -> None:
    client = await start_worker(slots=8)
    request = replace(LONG, prompt="There was rain, and there was a fox. " * 60, max_tokens=12)
    async with aclosing(client.generate(LONG)) as other:  # prompts are decoded in small parts beside it
        await anext(other)
        first = asyncio.create_task(written(client, request))
        rest = [asyncio.create_task(written(client, replace(request, person=f"p{n}"))) for n in range(3)]
        await anext(other)
        first.cancel()
        ends = await asyncio.gather(*rest)
    assert [end.prompt_tokens - end.cached_tokens for _, end in ends] == [ends[0][1].prompt_tokens, 0, 0]
    assert all(end.completion_tokens == 12 for _, end in ends)


async def test_candidates_count_as_one_request_and_are_given_up_together(start_worker: StartWorker) -> None:
    client = await start_worker(slots=4, max_waiting_per_person=2)
    choosing = asyncio.create_task(client.generate_candidates(LONG, 4))
    while client.idle:
        await asyncio.sleep(0)
    assert client.candidates_within(60, 1) == 1  # all places are taken
    waiting = asyncio.create_task(written(client, quote("courage", 1)))
    await asyncio.sleep(0)
    with pytest.raises(BusyError, match="already wait for 2"):
        await written(client, quote("courage", 2))
    choosing.cancel()
    assert finished_quote((await waiting)[0])
    await client.drained()
    assert client.candidates_within(60, 1) == 4


async def test_from_a_time_on_half_of_the_candidates_are_enough(start_worker: StartWorker) -> None:
    client = await start_worker(slots=2)  # the others wait for their places
    found = await client.generate_candidates(replace(LONG, max_tokens=60), 4, within_s=0.0)
    assert [one.finished.seed for one in found] == [7, 8]
    assert all(one.finished.completion_tokens == 60 for one in found)
    await client.drained()


async def test_a_killed_worker_costs_no_candidate(start_worker: StartWorker) -> None:
    client = await start_worker(slots=4)
    choosing = asyncio.create_task(client.generate_candidates(replace(LONG, likelihood=True, max_tokens=60), 3))
    while client.idle:
        await asyncio.sleep(0)
    pid = client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    found = await choosing
    assert [one.finished.resumed for one in found] == [1, 1, 1]
    # Nobody had seen them, so they are begun anew and weighed from their first token.
    assert all(one.text and one.finished.nats and one.finished.drawn >= 60 for one in found)


# -- how a worker begins and ends -------------------------------------------------------------------------------------

PATIENCE_S = 60.0  # what would wait for ever without the promise that is tested fails then


async def test_who_holds_a_worker_keeps_it_between_two_requests(stand_in: StandIn, start_worker: StartWorker) -> None:
    stand_in.starts("writes")
    client = await start_worker()
    with client.held():
        draining = asyncio.create_task(client.drained())
        for _ in range(2):
            await written(client, LONG)
            assert not draining.done()
    await asyncio.wait_for(draining, PATIENCE_S)


async def test_a_closed_worker_refuses_at_once(stand_in: StandIn, start_worker: StartWorker) -> None:
    stand_in.starts("writes")
    client = await start_worker()
    await client.close()
    assert not client.idle
    for asked in (written(client, LONG), client.generate_candidates(LONG, 2), client.ready()):
        with pytest.raises(WorkerCrashed, match="not loaded any more; ask again"):
            await asyncio.wait_for(asked, PATIENCE_S)


@pytest.mark.parametrize(
    ("start", "kind", "said"),
    [("refuses", ModelTooLarge, "too little memory"), ("dies", WorkerCrashed, "could not be started")],
)
async def test_a_worker_that_was_loaded_before_is_tried_until_it_starts(
    stand_in: StandIn, start_worker: StartWorker, start: str, kind: type[Exception], said: str
) -> None:
    stand_in.starts("writes", start)
    client = await start_worker()
    assert client.pid is not None
    os.kill(client.pid, signal.SIGKILL)
    for _ in range(2):  # one that waits for the next start, and one that comes when there was none
        with pytest.raises(kind, match=said):
            await asyncio.wait_for(written(client, LONG), PATIENCE_S)
    stand_in.starts("writes")
    async with asyncio.timeout(PATIENCE_S):
        while client.broken is not None:
            await asyncio.sleep(0)
    assert (await written(client, LONG))[0] == "The sea is wide." and client.idle


async def test_a_model_that_never_loaded_is_refused_once(
    stand_in: StandIn, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in.starts("refuses", "writes")
    client = await start_worker(wait=False)
    for _ in range(2):
        with pytest.raises(ModelTooLarge, match="too little memory"):
            await asyncio.wait_for(client.ready(), PATIENCE_S)
    assert [record.getMessage() for record in caplog.records] == ["There is too little memory for the model."]


async def test_what_ended_a_worker_is_in_the_log(
    stand_in: StandIn, start_worker: StartWorker, caplog: pytest.LogCaptureFixture
) -> None:
    stand_in.starts("knows why it dies", "dies", "writes")
    client = await start_worker(wait=False)
    await asyncio.wait_for(client.ready(), PATIENCE_S)
    told = [record.getMessage() for record in caplog.records]
    assert [line.partition(" and is started again")[0] for line in told] == [
        "the model worker ended (exit code 1: OSError: no room)",
        "the model worker ended (exit code 3)",
    ]


BROKEN_WORKER = """
from bot.inference import worker_process

class BrokenWorker:
    def __init__(self, channel, options):
        self.channel = channel

    def run(self):
        self.channel.send("delta", id="1", text="", tokens=[7])
        raise RuntimeError("llama_decode answered 1")

worker_process.Worker = BrokenWorker
worker_process.main()
"""


async def test_a_worker_that_fails_prints_nothing_and_says_why_to_its_parent() -> None:
    pipe = asyncio.subprocess.PIPE
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BROKEN_WORKER, stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert worker.stdin is not None and worker.stdout is not None and worker.stderr is not None
    worker.stdin.write(wire.encode(wire.options_line(options()[0])))
    said, printed = await asyncio.gather(worker.stdout.read(), worker.stderr.read())  # its input stays open
    delta, defect = (wire.decode(line) for line in said.splitlines())
    assert (delta["op"], defect["op"], printed, await worker.wait()) == ("delta", "defect", b"", 1)
    assert defect["text"] == "RuntimeError: llama_decode answered 1 (<string>, line 10)"


@pytest.mark.parametrize("failing", [2, 99])
async def test_a_process_that_the_machine_cannot_start_is_a_failed_start(
    stand_in: StandIn,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failing: int,
) -> None:
    real, refusals = asyncio.create_subprocess_exec, iter(range(failing))

    async def short_of_memory(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        if next(refusals, None) is not None:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return await real(*arguments, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", short_of_memory)
    stand_in.starts("writes")
    client = await start_worker(wait=False)
    if failing == 2:
        await asyncio.wait_for(client.ready(), PATIENCE_S)
        assert (await written(client, LONG))[0]
    else:
        with pytest.raises(WorkerCrashed, match="could not be started"):
            await asyncio.wait_for(written(client, LONG), PATIENCE_S)
    assert f"cannot start a model worker now: [Errno {errno.ENOMEM}]" in caplog.text
    await client.close()


@pytest.mark.parametrize("start", ["babbles", "knows no end", "of another version"])
async def test_a_worker_that_cannot_be_understood_is_replaced(
    stand_in: StandIn, start_worker: StartWorker, caplog: pytest.LogCaptureFixture, start: str
) -> None:
    stand_in.starts(start, "writes")
    client = await start_worker(wait=False)
    text, _ = await asyncio.wait_for(written(client, LONG), PATIENCE_S)
    assert text == "The sea is wide."
    assert "a line of the model worker cannot be read, so it is killed" in caplog.text
