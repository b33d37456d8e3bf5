"""The section How to use it: code that can be run as it stands."""

from __future__ import annotations

import ast
import re

from hypothesis import given
from hypothesis import strategies as st

from model_pipeline.publishing.cards import model_card
from model_pipeline.publishing.facts import Facts, Kind
from tests.unit.pipeline.publishing.run_facts import FILES, recipe, section


def test_the_bot_and_llama_cpp_are_given_what_is_served() -> None:
    served = {"quantization": "Q8_0", "file": "tiny-quotes-Q8_0.gguf", "lineage": {}}
    usage = section(model_card(Kind.GGUF, Facts(recipe(), served=served), FILES), "How to use it")

    assert "quotesmith model pull me/g\n" in usage
    assert "llama-cli -hf me/g:Q8_0\n" in usage


def test_whoever_chats_with_it_elsewhere_learns_how_much_of_a_conversation_it_is_shown() -> None:
    whole = recipe()
    limited = whole.model_copy(update={"served": whole.served.model_copy(update={"history_messages": 1})})
    usage = section(model_card(Kind.GGUF, Facts(limited), FILES), "How to use it")

    assert usage.rstrip().endswith("In chat it is asked with the newest message alone, without what was said before.")
    assert "In chat" not in section(model_card(Kind.GGUF, Facts(whole), FILES), "How to use it")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="`{}")), st.booleans(), st.text(max_size=9))
def test_the_code_of_a_card_is_python_whatever_the_prompt(template: str, chat: bool, system: str) -> None:
    prompt = {"template": template + "{keyword}", "chat": chat, "system": system.replace("`", "")}
    made = recipe(served={"system_prompt": True, "quote_prompt": prompt}, publish={"adapter": "me/a", "merged": "me/m"})

    for kind in (Kind.ADAPTER, Kind.MERGED):
        found = re.search(r"```python\n(.*?)```", model_card(kind, Facts(made), []), re.DOTALL)
        assert found is not None
        strings = [node.value for node in ast.walk(ast.parse(found[1])) if isinstance(node, ast.Constant)]
        assert template + "courage" in strings
