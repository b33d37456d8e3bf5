"""What all HTML pages of the pipeline have in common: one file that needs no other, every text escaped."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment

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

DOCUMENT = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
{{ style | safe }}</style>
</head>
<body>
<h1>{{ title }}</h1>
{body}</body>
</html>
"""


def render_document(title: str, body: str, style: str = "", **content: object) -> str:
    """The page with that heading; `body` is a jinja template of `content`, and `style` follows what all pages have.

    A `Path` of a picture becomes a part of the page by the filter `base64`, which raises `OSError`.
    """
    environment = Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=True)
    environment.filters["base64"] = _base64
    template = environment.from_string(DOCUMENT.replace("{body}", body))
    return template.render(title=title, style=STYLE + style, **content)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
