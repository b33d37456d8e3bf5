"""Renders a report's content as one HTML file without any other, every text escaped; measures and draws nothing."""

from __future__ import annotations

from model_pipeline.evaluation.html_document import render_document
from model_pipeline.evaluation.page_content import PageContent

BODY = """\
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
"""


def render_html(page: PageContent) -> str:
    """The report as one self-contained HTML file; reads the plots' PNG files. Raises `OSError`."""
    return render_document(page.title, BODY, page=page, kinds=("better", "worse", "higher", "lower"))
