from __future__ import annotations

from html import unescape
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from model_pipeline.evaluation.page_content import gather_content, showable
from model_pipeline.evaluation.page_markdown import escape, render_markdown
from model_pipeline.evaluation.plots import Plot
from tests.pipeline.evaluation.evaluated import asked_rows, compared, three_models, tuned_model

MARKDOWN = MarkdownIt("commonmark").enable("table")


def rendered(title: str = "Title") -> str:
    models = three_models()
    plots = [Plot(Path("/run/evaluate/plots/bleu.png"), "BLEU", "BLEU: base 0.1")]
    page = gather_content(title, compared(*models), asked_rows(), models, None, ["Small | test"], plots, 2)
    return render_markdown(page, Path("/run/evaluate"))


def test_the_report_has_its_parts_in_order() -> None:
    headings = [line for line in rendered().splitlines() if line.startswith("#")]
    assert headings == [
        "# Title",
        "## What changed",
        "## Figures",
        "## Plots",
        "## Why answers did not adhere",
        "## Examples",
        "### Example 1",
        "### Example 2",
        "## How to read this",
    ]


def test_tables_and_pictures_are_what_a_renderer_takes_them_for() -> None:
    page = MARKDOWN.render(rendered())
    assert page.count("<table>") == 2
    assert "<td>0.00 (0.00 to 0.16)</td>" in page
    assert '<img src="plots/bleu.png"' in page
    assert "<li>Adherence: tuned is better by 1.00 (0.77 to 1.00).</li>" in page


def test_models_that_all_adhere_need_no_table_of_reasons() -> None:
    model = tuned_model()
    page = gather_content("Title", compared(model), asked_rows(), [model], None, [], [], 1)
    assert "Every answer of every model adheres." in render_markdown(page, Path("/run"))


@given(st.text(max_size=60))
@example("__0__")
@example("a__b_ _c snake_case")
def test_any_text_is_shown_as_it_stands(text: str) -> None:
    page = MARKDOWN.render(f"- Prompt: {escape(showable(text))}.")
    shown = unescape(page.removeprefix("<ul>\n<li>Prompt:").removesuffix(".</li>\n</ul>\n").replace("<br>", " "))
    assert shown.split() == showable(text).split()
