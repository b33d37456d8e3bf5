from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat.model import QuotePrompt as AskedByTheBot
from bot.chat.prompts import quote_request
from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.description import QuotePrompt, read_description
from tests.fakes import MODEL

RECIPE = Path(__file__).with_name("starter-v0.toml")
MINIMAL = """
name = "mine"
base = "none"
license = "MIT"
system_prompt = true
[quote_prompt]
template = "About {keyword}:"
chat = true
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "about.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_minimal_description_gets_the_defaults(tmp_path: Path) -> None:
    about = read_description(written(tmp_path, MINIMAL))
    assert about.name == "mine"
    assert about.quote_prompt.system == ""
    assert about.quote_prompt.lower_case is False
    assert about.sampling.quote.repeat_penalty == 1.0
    assert about.context_tokens == 0


def test_the_starter_asks_in_lower_case(pytestconfig: pytest.Config) -> None:
    about = read_description(pytestconfig.rootpath / RECIPE)
    assert about.quote_prompt.lower_case is True


@given(
    st.text(min_size=1)
    | st.text(st.sampled_from("a 🎉❤\ufe0f👍🏽\u200d💻👩🇫🇷#"), min_size=1)
    | st.from_regex(r"(?i)[#\"“]?(the|an?) ?[a-z' ]{1,12}[!?. ”]{0,3}", fullmatch=True),
    st.booleans(),
    st.booleans(),
)
def test_a_model_is_trained_and_measured_on_what_the_bot_asks(keyword: str, lower_case: bool, bare: bool) -> None:
    form: dict[str, Any] = {"template": "About {keyword}:", "chat": False, "lower_case": lower_case, "bare": bare}
    model = replace(MODEL, quote_prompt=AskedByTheBot(**form))
    asked = quote_request(model, keyword, person="p", max_tokens=9, seed=None, deadline_s=9.0).prompt
    assert QuotePrompt.model_validate(form).asked(keyword) == asked


def test_an_override_replaces_a_key_unless_it_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, MINIMAL)
    assert read_description(path, name="other").name == "other"
    assert read_description(path, name=None).name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "mine"', 'name = "My Model"', "name: "),
        ('name = "mine"', "", "name: Field required"),
        ("About {keyword}:", "About it:", "quote_prompt.template: must contain {keyword} exactly once"),
        ("About {keyword}:", "{keyword} {keyword}", "quote_prompt.template: must contain {keyword} exactly once"),
        ("chat = true", 'chat = true\n[sampling.chat]\ntemperature = "hot"', "sampling.chat.temperature: "),
        ("chat = true", "chat = true\n[sampling.quote]\ntop_p = 0.0", "sampling.quote.top_p: "),
        ("chat = true", "chat = true\ntemprature = 1", "quote_prompt.temprature: Extra inputs"),
        ("[quote_prompt]", "history_messages = 0\n[quote_prompt]", "greater than or equal to 1, and is 0."),
        ("[quote_prompt]", "history_messages = true\n[quote_prompt]", "should be a valid integer, and is true."),
        ("[quote_prompt]", f"history_messages = 0x1{'0' * 5000}\n[quote_prompt]", "is a number of thousands of digits"),
        ("[quote_prompt]", "[quote_prompt", "cannot be read: "),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = written(tmp_path, MINIMAL.replace(old, new))
    with pytest.raises(InputInvalid) as caught:
        read_description(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named_once(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid) as caught:
        read_description(tmp_path / "none.toml")
    assert str(caught.value) == f"The description {tmp_path / 'none.toml'} cannot be read: No such file or directory."
