"""Two bots that are asked by turns, and which of them is blamed where one ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from model_pipeline.errors import InputInvalid
from model_pipeline.evaluation.bot_replies import BotUnavailable, Timed
from model_pipeline.gating import asking
from model_pipeline.gating.candidates import Candidate, read_candidate
from model_pipeline.gating.questions import chat_question
from tests.pipeline.prepared_run import Quiet
from tests.unit.models.folders import model_folder

QUESTIONS = [chat_question(text) for text in ("hello", "how are you", "good night")]


class FakeBot:
    """Answers, and ends at the question that it dies of."""

    def __init__(self, dies_of: str) -> None:
        self._dies_of = dies_of

    def ask(self, line: str) -> Timed:
        if line == self._dies_of:
            raise BotUnavailable("its command ended (out of memory)")
        return Timed(f"You say {line}.", 0.1)


def bots(**dies_of: str) -> Callable[[Path, int], AbstractContextManager[FakeBot]]:
    """What opens a bot of a model folder; the one whose folder is named dies of that question."""

    @contextmanager
    def opened(folder: Path, requests: int) -> Iterator[FakeBot]:
        yield FakeBot(dies_of.get(folder.name, ""))

    return opened


def candidate(folder: Path) -> Candidate:
    model_folder(folder, name=folder.name)
    return read_candidate(folder)


@pytest.mark.parametrize("question", ["hello", "how are you"])  # the second is asked of the new model first
def test_an_old_model_that_ends_in_the_middle_is_an_error_about_it(
    question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = candidate(tmp_path / "old"), candidate(tmp_path / "new")
    monkeypatch.setattr(asking, "open_bot", bots(old=question))
    with pytest.raises(InputInvalid, match=r"^The bot cannot serve the old model old: its command ended \(out of me"):
        asking.ask_both(old, new, QUESTIONS, tmp_path, Quiet())


def test_a_new_model_that_ends_is_told_from_the_old_one_and_what_was_answered_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = candidate(tmp_path / "old"), candidate(tmp_path / "new")
    monkeypatch.setattr(asking, "open_bot", bots(new="good night"))
    with pytest.raises(BotUnavailable):
        asking.ask_both(old, new, QUESTIONS, tmp_path, Quiet())
    monkeypatch.setattr(asking, "open_bot", bots(old="hello"))
    answered = asking.ask_both(old, new, QUESTIONS, tmp_path, Quiet())
    assert [(one.old.text, one.new.text) for one in answered] == [(f"You say {q.prompt}.",) * 2 for q in QUESTIONS]
