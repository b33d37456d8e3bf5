from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from bot.models.manifest import read_manifest
from model_pipeline.errors import InputInvalid
from model_pipeline.gguf.description import Description
from model_pipeline.gguf.model_card import model_card
from model_pipeline.gguf.model_folder import Provenance, record_evaluation, record_judge, write_model_folder
from model_pipeline.gguf.parity import Gate
from model_pipeline.gguf.samples import Sample

PROVENANCE = Provenance("Q8_0", 512, {"exported_as": "f16"})
FACTS = {"architecture": "llama", "file": "model.gguf, Q8_0, 4 bytes"}
GATES = {"F16": [Gate("tokens", {"lines": 3, "equal_lines": 3})]}


def described(**changes: Any) -> Description:
    return Description.model_validate(
        {
            "name": "mine",
            "base": "none",
            "license": "CC0-1.0",
            "system_prompt": False,
            "quote_prompt": {"template": "Keyword: {keyword}\nQuote:", "chat": False},
            "sampling": {"quote": {"temperature": 0.5}},
            "evaluation": {"perplexity": 9.5},
            "lineage": {"corpus": "books"},
        }
        | changes
    )


def gguf(folder: Path, content: bytes = b"GGUF") -> Path:
    path = folder / "made.gguf"
    path.write_bytes(content)
    return path


def card(description: Description, **changes: Any) -> str:
    arguments: dict[str, Any] = {"facts": FACTS, "gates": GATES, "quotes": (), "replies": ()} | changes
    return model_card(description, **arguments)


def test_the_bot_reads_what_is_written(tmp_path: Path) -> None:
    manifest = write_model_folder(tmp_path / "out", gguf(tmp_path), "# card\n", described(), PROVENANCE)
    assert manifest == tmp_path / "out" / "manifest.json"
    read = read_manifest(tmp_path / "out")
    assert (read.name, read.quantization, read.context_tokens, read.size_bytes) == ("mine", "Q8_0", 512, 4)
    assert read.sha256 == hashlib.sha256((tmp_path / "out" / read.file).read_bytes()).hexdigest()
    assert (read.sampling.quote.temperature, read.sampling.chat.temperature) == (0.5, 0.7)
    assert read.lineage == {"corpus": "books", "exported_as": "f16"}
    assert read.evaluation == {"perplexity": 9.5}
    assert (tmp_path / "out" / "MODEL_CARD.md").read_text() == "# card\n"


@pytest.mark.parametrize("lower_case", [True, False])
def test_the_manifest_says_whether_keywords_are_in_lower_case(tmp_path: Path, lower_case: bool) -> None:
    prompt = {"template": "{keyword}", "chat": False, "lower_case": lower_case}
    path = write_model_folder(tmp_path / "out", gguf(tmp_path), "", described(quote_prompt=prompt), PROVENANCE)
    assert json.loads(path.read_text())["quote_prompt"]["lower_case"] is lower_case


@pytest.mark.parametrize(
    ("history_messages", "sentence"),
    [
        (1, "In chat it is asked with the newest message alone, without what was said before. It was never trained"),
        (6, "In chat it is asked with the newest 6 messages of a conversation at most. It was never trained"),
    ],
)
def test_the_bot_and_the_card_s_reader_learn_how_much_of_a_conversation_is_shown(
    tmp_path: Path, history_messages: int, sentence: str
) -> None:
    about = described(history_messages=history_messages)
    write_model_folder(tmp_path / "out", gguf(tmp_path), card(about), about, PROVENANCE)
    assert read_manifest(tmp_path / "out").history_messages == history_messages
    assert f"For chat, with the template in the GGUF. {sentence}" in (tmp_path / "out" / "MODEL_CARD.md").read_text()


def test_a_model_is_shown_whole_conversations_where_nothing_else_is_said(tmp_path: Path) -> None:
    write_model_folder(tmp_path / "out", gguf(tmp_path), card(described()), described(), PROVENANCE)
    assert read_manifest(tmp_path / "out").history_messages is None
    assert "in the GGUF. It was never trained on system turns." in (tmp_path / "out" / "MODEL_CARD.md").read_text()


def test_an_older_model_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_model_folder(out, gguf(tmp_path, b"old"), "old", described(name="old"), PROVENANCE)
    (out / "notes.txt").touch()
    write_model_folder(out, gguf(tmp_path, b"new"), "new", described(name="new"), PROVENANCE)
    assert read_manifest(out).name == "new"
    assert {path.name for path in out.iterdir()} == {"model.gguf", "MODEL_CARD.md", "manifest.json", "notes.txt"}
    assert (out / "model.gguf").read_bytes() == b"new"


def test_a_folder_that_cannot_be_written_has_no_manifest(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_model_folder(out, gguf(tmp_path), "", described(), PROVENANCE)
    (out / "model.gguf").unlink()
    (out / "model.gguf").mkdir()
    with pytest.raises(InputInvalid, match=r"^The model folder .*out cannot be written: .+\.$"):
        write_model_folder(out, gguf(tmp_path), "", described(), PROVENANCE)
    assert not (out / "manifest.json").exists()


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(InputInvalid, match="cannot be written: File exists"):
        write_model_folder(tmp_path / "out", gguf(tmp_path), "", described(), PROVENANCE)


@pytest.mark.parametrize("unwritten", [".judge.npz.partial", ".manifest.json.partial"])
def test_a_disk_that_fills_while_a_judge_is_put_in_leaves_the_model_as_it_was(tmp_path: Path, unwritten: str) -> None:
    out, judges = tmp_path / "out", [tmp_path / "old.npz", tmp_path / "new.npz"]
    write_model_folder(out, gguf(tmp_path), "", described(), PROVENANCE)
    for judge in judges:
        judge.write_bytes(judge.name.encode())
    record_judge(out, judges[0])
    before = read_manifest(out)
    (out / unwritten).symlink_to("/dev/full")
    with pytest.raises(InputInvalid, match=r"^The judge cannot be written into .*out: No space left on device\.$"):
        record_judge(out, judges[1])
    assert read_manifest(out) == before and (out / "judge.npz").read_bytes() == b"old.npz"
    (out / unwritten).unlink()
    record_judge(out, judges[1])
    section = read_manifest(out).judge
    assert section and section.sha256 == hashlib.sha256(b"new.npz").hexdigest()
    assert (out / section.file).read_bytes() == b"new.npz"


def test_the_card_tells_what_the_manifest_does() -> None:
    text = card(described(card={"summary": "A small one.", "limits": "- It errs."}))
    assert text.startswith("---\nlicense: cc0-1.0\n")
    assert "# mine\n\nA small one." in text
    assert "| architecture | llama |" in text
    assert "```\nKeyword: {keyword}\nQuote:\n```" in text
    assert "as plain text that the model completes" in text
    assert "never trained on system turns" in text
    assert "lower case" not in text
    assert "## Limits\n\n- It errs." in text
    assert "| temperature | 0.5 | 0.7 |" in text
    assert "| F16 | tokens | lines 3, equal_lines 3 |" in text
    assert "Unpicked samples" not in text


def test_the_card_of_a_chat_model_in_lower_case() -> None:
    prompt = {"template": "A quote on {keyword}.", "chat": True, "lower_case": True, "bare": True}
    text = card(described(quote_prompt=prompt, system_prompt=True))
    assert "as a user turn of the chat template" in text
    assert "The keyword is written in lower case. No article stands before it, and no marks around it." in text
    assert "System turns are understood." in text


def test_samples_are_listed_in_one_line_each() -> None:
    text = card(described(), quotes=[Sample("sea", "Wide.\n\nVery | wide."), Sample("door", "")], replies=[])
    assert "1. sea: Wide. / Very | wide.\n2. door: (nothing)\n" in text
    assert "One turn of chat" not in text
    assert "- hi\n  - Hello.\n" in card(described(), replies=[Sample("hi", "Hello.")])


def test_a_bar_does_not_break_a_table() -> None:
    assert "| base | a \\| b |" in card(described(base="a | b"))


def test_an_evaluation_joins_what_the_manifest_and_the_card_say(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_model_folder(out, gguf(tmp_path), card(described()), described(), PROVENANCE)
    before = read_manifest(out)
    record_evaluation(out, {"rows": 4, "models": {}}, "Four rows.\n\n### Detail\n\nMore.")
    read, text = read_manifest(out), (out / "MODEL_CARD.md").read_text()
    assert read.evaluation == {"perplexity": 9.5, "rows": 4, "models": {}}
    assert read.model_copy(update={"evaluation": before.evaluation}) == before
    assert text == card(described()) + "\n## Evaluation\n\nFour rows.\n\n### Detail\n\nMore.\n"
    assert sorted(path.name for path in out.iterdir()) == ["MODEL_CARD.md", "manifest.json", "model.gguf"]


@pytest.mark.parametrize("behind", ["", "\n## Thanks\n\nTo all.\n"])
def test_a_second_evaluation_replaces_the_first_where_it_stands(tmp_path: Path, behind: str) -> None:
    out = tmp_path / "out"
    write_model_folder(
        out, gguf(tmp_path), "# card\n\n## Evaluation\n\nOld.\n\n### Detail\n" + behind, described(), PROVENANCE
    )
    for rows in (4, 5):
        record_evaluation(out, {"rows": rows}, f"{rows} rows.")
    assert (out / "MODEL_CARD.md").read_text() == f"# card\n\n## Evaluation\n\n5 rows.\n{behind}"
    assert read_manifest(out).evaluation == {"perplexity": 9.5, "rows": 5}


@pytest.mark.parametrize("content", [None, "", "[]", "{}"])
def test_an_evaluation_of_no_model_is_refused(tmp_path: Path, content: str | None) -> None:
    (tmp_path / "MODEL_CARD.md").write_text("# card\n")
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputInvalid, match="cannot be written into the model folder"):
        record_evaluation(tmp_path, {}, "Nothing.")
    assert "Nothing." not in (tmp_path / "MODEL_CARD.md").read_text()
