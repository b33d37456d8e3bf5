"""Templates as models bring them: rendered as Hugging Face does, contained when they are hostile."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.messages import Role, Turn
from bot.errors import ModelInvalid
from bot.inference.chat_template import PLAIN_STOPS, ChatTemplate, fold_system

SYSTEM, HI = Turn(Role.SYSTEM, "Be kind."), Turn(Role.USER, "Hi")
TALK = (HI, Turn(Role.ASSISTANT, "Hello!"), Turn(Role.USER, "Bye"))
CHATML = """
{%- for message in messages %}
    {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turns') }}{% endif %}"
TURNS = st.lists(st.builds(Turn, st.sampled_from(Role), st.text(max_size=20)), max_size=5)


def render(source: str, *turns: Turn) -> str:
    return ChatTemplate(source, "<s>", "</s>").render(turns)


def test_a_template_of_its_own() -> None:
    template = ChatTemplate(CHATML, "<s>", "</s>")
    assert template.render((SYSTEM, HI)) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (template.own, template.stops) == (True, ())


def test_without_a_template_it_is_a_plain_dialogue_that_stops_before_the_next_speaker() -> None:
    template = ChatTemplate(None, "<s>", "</s>")
    assert template.render((SYSTEM, *TALK)) == "Be kind.\n\nUser: Hi\nBot: Hello!\nUser: Bye\nBot:"
    assert (template.own, template.stops) == (False, PLAIN_STOPS)


def test_an_empty_template_is_the_models_own() -> None:
    assert ChatTemplate("", "", "").own
    assert render("", HI) == ""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", "<s>Hi</s>"),
        ("{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.content }}{% endfor %}", "Hi"),
        ("{% for m in messages %}{% generation %}{{ m.content }},{% endgeneration %}{% endfor %}", "Hi,Hello!,Bye,"),
        ("{{ {'a': '<é>'} | tojson }}", '{"a": "<é>"}'),
        ("{{ {'a': 1} | tojson(indent=2) }}", '{\n  "a": 1\n}'),
        ("{% if tools is none and documents is none %}no tools{% endif %}", "no tools"),
        ("{{ nothing }}{{ messages[0].content }}", "Hi"),
        ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
    ],
)
def test_what_templates_count_on(source: str, text: str) -> None:
    assert render(source, *TALK) == text


def test_the_date_is_at_hand() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", render("{{ strftime_now('%Y-%m-%d') }}", HI))


def test_a_template_that_refuses_a_system_turn_gets_it_with_the_first_message() -> None:
    assert render(NO_SYSTEM + CHATML, SYSTEM, HI) == render(CHATML, Turn(Role.USER, "Be kind.\n\nHi"))


def test_a_system_turn_alone_that_is_refused_cannot_be_folded() -> None:
    with pytest.raises(ModelInvalid, match="no system turns"):
        render(NO_SYSTEM, SYSTEM)


@given(TURNS)
def test_folding_loses_no_word_and_leaves_at_most_the_turn_that_stands_alone(turns: list[Turn]) -> None:
    folded = fold_system(turns)
    assert "\n\n".join(turn.content for turn in folded) == "\n\n".join(turn.content for turn in turns)
    if len(turns) > 1 and turns[0].role is Role.SYSTEM:
        assert [turn.role for turn in folded] == [turn.role for turn in turns[1:]]
    else:
        assert folded == tuple(turns)


@given(TURNS)
def test_what_people_write_is_never_run_as_a_template(turns: list[Turn]) -> None:
    text = render("{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}", *turns)
    assert text == "".join(f"{turn.role}={turn.content};" for turn in turns)


def test_a_message_that_looks_like_a_template_is_text() -> None:
    assert render("{{ messages[0].content }}", Turn(Role.USER, "{{ 7 * 7 }}{% raw %}")) == "{{ 7 * 7 }}{% raw %}"


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{{ ",
        "{% for m in messages %}",
        "{% nonsense %}",
        "{{ x | nonsense }}",
        "{{ " + "9" * 5000 + " }}",
        "{{ " + "(" * 5000 + " }}",
        "{% for x in messages %}" * 30 + "{% endfor %}" * 30,
    ],
)
def test_what_is_no_template_is_refused_when_the_model_is_loaded(source: str) -> None:
    with pytest.raises(ModelInvalid, match=r"^The model's chat template cannot be read: "):
        ChatTemplate(source, "", "")


@pytest.mark.parametrize(
    "source",
    [
        "{{ raise_exception('roles must alternate') }}",
        "{{ 1 / 0 }}",
        "{{ messages + 1 }}",
        "{{ nothing.at.all }}",
        "{{ range(10000000) | list }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ 'x'.encode('nonsense') }}",
        "{{ messages | tojson(layout=1) }}",
        "{{ strftime_now(7) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include 'other' %}",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_refused_in_one_sentence(source: str) -> None:
    with pytest.raises(ModelInvalid, match=r"(?s)^The model's chat template refuses this conversation: .*\.$"):
        render(source, HI)
