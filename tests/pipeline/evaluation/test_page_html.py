from __future__ import annotations

import base64
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from model_pipeline.evaluation.answers import Answer, Answers, Latency
from model_pipeline.evaluation.page_content import gather_content
from model_pipeline.evaluation.page_html import render_html
from model_pipeline.evaluation.plots import Plot
from tests.pipeline.evaluation.evaluated import asked_rows, base_model, compared, tuned_model

VOID = {"meta", "img"}
HOSTILE = '</dd><script>alert("1")</script><img src=x onerror=alert(1)> & "quoted" ü {{ 7 * 7 }}'


class Reader(HTMLParser):
    """What a browser would see: elements in order, text, and elements that are left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(tmp_path: Path, hostile: str = "") -> Reader:
    picture = tmp_path / "bleu.png"
    picture.write_bytes(b"not really a picture")
    answers = (Answer(hostile, True, 9), *tuned_model().answers[1:])
    models: list[Answers] = [base_model(), replace(tuned_model(f"tuned{hostile}"), answers=answers)]
    latency = Latency("tuned", 5, 100, 200, 50, f"4 cores{hostile}")
    plots = [Plot(picture, "BLEU", f"BLEU{hostile}")]
    page = gather_content(f"T{hostile}", compared(*models), asked_rows(), models, latency, [f"N{hostile}"], plots, 4)
    return Reader(render_html(page))


def test_the_page_is_whole_and_needs_no_other_file(tmp_path: Path) -> None:
    page = read(tmp_path)
    assert page.open == []
    assert page.addresses == ["data:image/png;base64," + base64.b64encode(b"not really a picture").decode()]
    assert not {"script", "link", "iframe"} & set(page.tags)


def test_the_page_says_what_was_found(tmp_path: Path) -> None:
    page = read(tmp_path)
    for text in ("Adherence: tuned is better by", "What changed", "Latency", "4 cores", "Keyword: sea", "adheres"):
        assert text in page.text


def test_hostile_texts_are_shown_and_never_run(tmp_path: Path) -> None:
    harmless, hostile = read(tmp_path), read(tmp_path, HOSTILE)
    assert hostile.open == []
    assert sorted(set(hostile.tags)) == sorted(set(harmless.tags))
    assert len(hostile.addresses) == 1
    assert hostile.text.count(HOSTILE) >= 5
