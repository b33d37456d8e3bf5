"""Every sentence is there in every language, says the same as the error it stands for, and keeps its values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as ftl
from fluent.syntax.visitor import Visitor

import bot
from bot.chat.canary import CanaryState
from bot.chat.messages import Complaint, Platform, Style
from bot.platforms.catalogue import ENGLISH, TEXTS, Texts, best_language, languages
from bot.platforms.commands import IN_CHATS

SOURCES = sorted(Path(bot.__file__).parent.rglob("*.py"))


class Variables(Visitor):
    """Collects the variables that a message uses, and the messages that stand in it."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.messages: set[str] = set()

    def visit_MessageReference(self, node: ftl.MessageReference) -> None:
        self.messages.add(node.id.name)

    def visit_VariableReference(self, node: ftl.VariableReference) -> None:
        self.names.add(node.id.name)


def variables(language: str) -> dict[str, set[str]]:
    """The names of a language's sentences, and the variables of each, those of the sentences in it included."""
    resource = FluentParser().parse((TEXTS / f"{language}.ftl").read_text(encoding="utf-8"))
    assert not [entry for entry in resource.body if isinstance(entry, ftl.Junk)]
    found = {}
    for entry in resource.body:
        if isinstance(entry, ftl.Message):
            visitor = Variables()
            visitor.visit(entry)
            found[entry.id.name] = visitor.names
    return found


def raised_with_a_key() -> Iterator[tuple[str, str]]:
    """The key and the sentence of every error that names a sentence of the catalogue; values stand as {}."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or len(node.args) != 2 or not isinstance(node.func, ast.Name):
                continue
            text, key = node.args
            if node.func.id.endswith(("Error", "Exceeded")) and isinstance(key, ast.Constant):
                yield str(key.value), sentence(text)


def sentence(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "{}"


def test_the_languages_have_the_same_sentences_with_the_same_values() -> None:
    english = variables(ENGLISH)
    assert len(languages()) >= 2
    for language in languages():
        assert variables(language) == english, language


@pytest.mark.parametrize(("key", "text"), sorted(set(raised_with_a_key())))
def test_an_error_and_its_sentence_say_the_same(key: str, text: str) -> None:
    name = f"error-{key}"
    values = dict.fromkeys(variables(ENGLISH)[name], "{}")
    assert Texts(ENGLISH)(name, **values) == text


def test_every_sentence_that_the_bot_names_is_there() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    named = set(re.findall(r"""(?:texts|Texts\(ENGLISH\)|said)\(\s*"([a-z_-]+)"[,)]""", source))
    named |= {f"command-{action}" for action in IN_CHATS if action not in ("good", "bad", "start")}
    named |= {f"style-{style}" for style in Style} | {f"button-{complaint}" for complaint in Complaint}
    named |= {f"privacy-{platform}" for platform in Platform}
    assert len(named) > 50 and named <= set(variables(ENGLISH))


def test_every_sentence_is_one_that_the_bot_may_say() -> None:
    strings = set[object]()
    beginnings = set[str]()  # of names that are put together, such as f"error-{key}"
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant):
                strings.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                beginnings.add(str(node.values[0].value))

    def put_together(name: str) -> bool:
        begun, _, rest = name.partition("-")
        return f"{begun}-" in beginnings and (rest in strings or strings.issuperset(rest.split("-")))

    within = Variables()
    within.visit(FluentParser().parse((TEXTS / f"{ENGLISH}.ftl").read_text(encoding="utf-8")))
    unsaid = set(variables(ENGLISH)) - strings - within.messages
    assert sorted(name for name in unsaid if not put_together(name)) == []


@pytest.mark.parametrize(
    ("wanted", "setting", "spoken"),
    [("de-AT", "auto", "de"), ("de", "en", "en"), ("fr", "auto", "en"), (None, "auto", "en"), (None, "de", "de")],
)
def test_people_are_spoken_to_in_their_language_where_the_bot_knows_it(
    wanted: str | None, setting: str, spoken: str
) -> None:
    assert best_language(wanted, setting) == spoken


def test_counts_are_said_as_people_say_them() -> None:
    counts = {"replies": 2, "votes": 0, "corrections": 1, "favorites": 0, "preferences": 0, "exports": 0}
    said = Texts(ENGLISH)("mydata", messages=1, consents="no", **counts)
    assert said.endswith("1 message, 2 replies, votes on 0 replies, 1 correction. You did not agree to training.")
    counts |= {"favorites": 1, "preferences": 2, "exports": 1}
    said = Texts(ENGLISH)("mydata", messages=1, consents="yes", **counts)
    assert "1 correction, 1 favourite, 2 comparisons. You agreed" in said
    assert said.endswith("may train a model. 1 export for training holds something of yours.")


@pytest.mark.parametrize("language", languages())
def test_each_end_of_a_model_that_was_tried_out_is_told_as_what_it_was(language: str) -> None:
    votes = dict.fromkeys(("new_up", "new_down", "old_up", "old_down", "new_wins", "old_wins"), 0)

    def told(state: CanaryState) -> str:
        names = {"model": "bigger", "against": "starter", "state": state.name.lower()}
        return Texts(language)("stats-canary", share=20, **names, **votes).splitlines()[0]

    assert len({told(state) for state in CanaryState}) == len(CanaryState)


@pytest.mark.parametrize("language", languages())
def test_how_long_things_are_kept_is_said_where_they_are_not_kept_for_ever(language: str) -> None:
    def privacy(days: int) -> str:
        return Texts(language)("privacy", platform="Telegram", encrypted="no", training="", days=days)

    assert "365" in privacy(365) and "  " not in privacy(0)
    assert len({privacy(0), privacy(1), privacy(2)}) == 3


# Some models are asked with the newest message alone, so it is never to let a conversation go on that things are kept.
PURPOSES = {
    "en": ("a request survives a restart", "repeat myself", "votes count", "a model that can may look back"),
    "de": ("eine Anfrage einen Neustart übersteht", "nicht wiederhole", "Stimmen zählen", "ein Modell, das es kann"),
}


@pytest.mark.parametrize("language", languages())
def test_what_things_are_stored_for_is_said_as_it_is_with_every_model(language: str) -> None:
    texts = Texts(language)
    said = [texts("note", changed=changed, training="") for changed in ("no", "yes")]
    for text in [*said, texts("privacy", platform="Telegram", encrypted="no", training="", days=0)]:
        assert all(purpose in text for purpose in PURPOSES[language]), text


def test_a_sentence_that_nobody_wrote_is_a_mistake_of_the_program() -> None:
    with pytest.raises(KeyError):
        Texts("de")("no-such-sentence")
