"""The section of a card that tells what was measured, with intervals and verdicts; measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_pipeline.evaluation.figures import BY_NAME
from model_pipeline.publishing.facts import Facts
from model_pipeline.publishing.markdown import table

REPORT = "evaluation/report.md"


def figures_section(facts: Facts, paths: Sequence[str]) -> str:
    """What was measured, and the gates that were passed; `paths` are the repository's files."""
    report = f"What each figure means, and answers to read: `{REPORT}`." if facts.results and REPORT in paths else ""
    parts = [_measured(facts.results), _latency(facts.results.get("latency")), report, _gates(facts)]
    return "\n\n".join(part for part in parts if part)


def _measured(results: Mapping[str, Any]) -> str:
    models = results.get("models", [])
    names = [name for name in BY_NAME if any(name in model["figures"] for model in models)]
    if not names:
        return "This run was not evaluated."
    rows = [(BY_NAME[name].title, *(_estimate(name, model["figures"].get(name)) for model in models)) for name in names]
    head = f"On {results['rows']} held-out rows, with {results['confidence']:.0%} intervals over the rows:"
    shown = table(("", *(model["name"] for model in models)), rows)
    changes = "\n".join(f"- {_change(change)}" for change in results.get("changes", []))
    return f"{head}\n\n{shown}\n\n{changes}".strip()


def _estimate(name: str, estimate: Mapping[str, float] | None) -> str:
    if estimate is None:
        return "-"
    value, low, high = (f"{estimate[key]:.{BY_NAME[name].decimals}f}" for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _change(change: Mapping[str, Any]) -> str:
    """Which figures differ between two models, and which do not as far as these rows tell."""
    names = [name for name in BY_NAME if name in change["differences"]]
    shown = [BY_NAME[name].title for name in names if change["differences"][name]["shown"]]
    others = [BY_NAME[name].title for name in names if not change["differences"][name]["shown"]]
    texts = [f"a difference is shown in {', '.join(shown)}"] if shown else []
    texts += [f"none is shown in {', '.join(others)}"] if others else []
    return f"{change['after']} against {change['before']}: {'; '.join(texts)}."


def _latency(latency: Mapping[str, Any] | None) -> str:
    if not latency:
        return ""
    return (
        f"Latency of {latency['name']} on {latency['machine']}: half of {latency['requests']} answers within "
        f"{latency['p50_ms']:,.0f} ms, 95% within {latency['p95_ms']:,.0f} ms, "
        f"{latency['tokens_per_second']:.1f} tokens a second."
    )


def _gates(facts: Facts) -> str:
    """What the exported files were compared on with the trained weights, by file type."""
    exported = facts.figures("export-gguf")
    first = {exported["outtype"].upper(): exported["gates"]} if exported.get("gates") else {}
    by_type = first | dict(facts.served.get("lineage", {}).get("parity", {}))
    rows = [
        (type_name, gate, ", ".join(f"{key} {value:g}" for key, value in figures.items()))
        for type_name, gates in by_type.items()
        for gate, figures in gates.items()
    ]
    return f"Against the trained weights:\n\n{table(('file', 'compared', 'figures'), rows)}" if rows else ""
