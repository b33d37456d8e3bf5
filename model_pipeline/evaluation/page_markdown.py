"""Renders a report's content as Markdown, every text escaped; measures and draws nothing."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment

from model_pipeline.evaluation.page_content import PageContent

_MARKUP = re.compile(r"([\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_]))")  # between letters an underscore is plain text
_ENTITIES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}

TEMPLATE = """\
# {{ page.title | text }}

{{ page.about | text }}
{% for note in page.notes %}

> **Note:** {{ note | text }}
{% endfor %}
{% if page.changes %}

## What changed
{% for change in page.changes %}

**{{ change.summary | text }}**

{% for verdict in change.verdicts %}
- {{ verdict.text | text }}
{% endfor %}
{% endfor %}
{% endif %}

## Figures

| |{% for name in page.models %} {{ name | text }} |{% endfor %}

|---|{% for name in page.models %}---|{% endfor %}

{% for row in page.figures %}
| {{ row.title | text }} |{% for cell in row.cells %} {{ cell | cell }} |{% endfor %}

{% endfor %}

{% for row in page.figures %}
- **{{ row.title | text }}**: {{ row.meaning | text }}
{% endfor %}

## Plots

{% for plot in page.plots %}
![{{ plot.description | text }}]({{ plot.path | link }})
{% endfor %}

## Why answers did not adhere

{% if page.reasons %}
| The answer |{% for name in page.models %} {{ name | text }} |{% endfor %}

|---|{% for name in page.models %}---:|{% endfor %}

{% for reason, counts in page.reasons %}
| {{ reason | text }} |{% for count in counts %} {{ count }} |{% endfor %}

{% endfor %}
{% else %}
Every answer of every model adheres.
{% endif %}
{% if page.latency %}

## Latency

| | |
|---|---|
{% for name, value in page.latency %}
| {{ name | text }} | {{ value | text }} |
{% endfor %}
{% endif %}

## Examples

The first rows of each kind, not picked.
{% for example in page.examples %}

### Example {{ loop.index }}

- Prompt: {{ example.prompt | text }}
- Reference: {{ example.reference | text }}
{% for answer in example.answers %}
- **{{ answer.name | text }}** ({{ answer.judgement | text }}): {{ answer.text | text or "(nothing)" }}
{% endfor %}
{% endfor %}

## How to read this

{% for line in page.reading %}
- {{ line | text }}
{% endfor %}
"""


def render_markdown(page: PageContent, folder: Path) -> str:
    """The report as Markdown, its plots linked relative to `folder`."""
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False)
    environment.filters["text"] = escape
    environment.filters["cell"] = lambda cell: f"{cell[0]} ({cell[1]})" if cell[1] else cell[0]
    environment.filters["link"] = lambda path: path.relative_to(folder).as_posix()
    rendered = environment.from_string(TEMPLATE).render(page=page)
    return re.sub(r"\n{3,}", "\n\n", rendered)


def escape(text: str) -> str:
    """Plain text that Markdown shows as it stands, on one line; line breaks become <br>."""
    lines = _MARKUP.sub(r"\\\1", text.translate(_ENTITIES)).strip().splitlines()
    return "<br>".join(line.strip() for line in lines)
