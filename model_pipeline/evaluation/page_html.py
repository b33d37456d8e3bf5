"""Renders a report's content as one HTML file without any other, every text escaped; measures and draws nothing."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment

from model_pipeline.evaluation.page_content import PageContent

STYLE = """\
:root { color-scheme: light; --ink: #1f2328; --soft: #59636e; --line: #d8dbe0; --panel: #f6f7f9; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; color: var(--ink); background: #fff;
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; padding-top: .5rem; border-top: 1px solid var(--line); }
p { margin: .5rem 0; }
.soft, small { color: var(--soft); }
small { display: block; font-size: .8rem; line-height: 1.35; }
.note { border-left: 4px solid #e69f00; background: #fdf6e7; padding: .5rem .75rem; }
.verdicts { list-style: none; padding: 0; margin: .5rem 0; }
.verdicts li { padding: .3rem .6rem; margin: .25rem 0; border-left: 4px solid var(--line); background: var(--panel); }
.verdicts .better { border-color: #009e73; }
.verdicts .worse { border-color: #d55e00; }
.verdicts .higher, .verdicts .lower { border-color: #0072b2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; overflow-wrap: normal; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--ink); }
tbody th { font-weight: 600; min-width: 10rem; }
tbody th small { font-weight: 400; }
td { font-variant-numeric: tabular-nums; min-width: 5.5rem; }
td.text { min-width: 0; overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: .75rem; }
.plots img { width: 100%; height: auto; border: 1px solid var(--line); border-radius: 6px; }
.example { border: 1px solid var(--line); border-radius: 6px; padding: .25rem .75rem .75rem; margin: .75rem 0; }
.example h3 { font-size: 1rem; margin: .5rem 0 0; }
.example dt { margin-top: .5rem; font-size: .85rem; font-weight: 600; }
.example dt span { font-weight: 400; color: var(--soft); }
.example dd { margin: .15rem 0 0; padding: .4rem .6rem; background: var(--panel); white-space: pre-wrap;
  unicode-bidi: isolate; }
"""

TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ page.title }}</title>
<style>
{{ style | safe }}</style>
</head>
<body>
<h1>{{ page.title }}</h1>
<p class="soft">{{ page.about }}</p>
{% for note in page.notes %}
<p class="note">{{ note }}</p>
{% endfor %}
{% if page.changes %}
<h2>What changed</h2>
{% for change in page.changes %}
<p><strong>{{ change.summary }}</strong></p>
<ul class="verdicts">
{% for verdict in change.verdicts %}
<li class="{{ verdict.kind if verdict.kind in kinds else 'none' }}">{{ verdict.text }}</li>
{% endfor %}
</ul>
{% endfor %}
{% endif %}
<h2>Figures</h2>
<div class="wide"><table>
<thead><tr><th></th>{% for name in page.models %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in page.figures %}
<tr><th scope="row">{{ row.title }}<small>{{ row.meaning }}</small></th>
{% for value, interval in row.cells %}<td>{{ value }}<small>{{ interval }}</small></td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
<h2>Plots</h2>
<div class="plots">
{% for plot in page.plots %}
<img src="data:image/png;base64,{{ plot.path | base64 }}" alt="{{ plot.description }}">
{% endfor %}
</div>
<h2>Why answers did not adhere</h2>
{% if page.reasons %}
<div class="wide"><table>
<thead><tr><th>The answer</th>{% for name in page.models %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for reason, counts in page.reasons %}
<tr><th scope="row">{{ reason }}</th>{% for count in counts %}<td>{{ count }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% else %}
<p>Every answer of every model adheres.</p>
{% endif %}
{% if page.latency %}
<h2>Latency</h2>
<table><tbody>
{% for name, value in page.latency %}
<tr><th scope="row">{{ name }}</th><td class="text">{{ value }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
<h2>Examples</h2>
<p class="soft">The first rows of each kind, not picked.</p>
{% for example in page.examples %}
<section class="example"><h3>Example {{ loop.index }}</h3>
<dl>
<dt>Prompt</dt><dd dir="auto">{{ example.prompt }}</dd>
<dt>Reference</dt><dd dir="auto">{{ example.reference }}</dd>
{% for answer in example.answers %}
<dt>{{ answer.name }} <span>{{ answer.judgement }}</span></dt><dd dir="auto">{{ answer.text or "(nothing)" }}</dd>
{% endfor %}
</dl></section>
{% endfor %}
<h2>How to read this</h2>
<ul>
{% for line in page.reading %}
<li>{{ line }}</li>
{% endfor %}
</ul>
</body>
</html>
"""


def render_html(page: PageContent) -> str:
    """The report as one self-contained HTML file; reads the plots' PNG files. Raises `OSError`."""
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=True)
    environment.filters["base64"] = _base64
    kinds = ("better", "worse", "higher", "lower")
    return environment.from_string(TEMPLATE).render(page=page, style=STYLE, kinds=kinds)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
