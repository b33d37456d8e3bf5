"""The section Figures: what was measured with its doubt, and what was not measured."""

from __future__ import annotations

from model_pipeline.publishing.cards import model_card
from model_pipeline.publishing.facts import Facts, Kind
from tests.unit.pipeline.publishing.run_facts import FILES, manifest, recipe, section

ESTIMATE = {"value": 0.5, "low": 0.4, "high": 0.6, "rows": 200}


def test_figures_stand_with_their_intervals_and_differences_with_their_verdict() -> None:
    difference = {"estimate": 0.1, "low": 0.0, "high": 0.2, "p_value": None}
    results = {
        "rows": 200,
        "confidence": 0.95,
        "models": [
            {"name": "base", "figures": {"adherence": ESTIMATE}},
            {"name": "tuned", "figures": {"adherence": ESTIMATE, "bleu": ESTIMATE}},
        ],
        "changes": [
            {
                "before": "base",
                "after": "tuned",
                "differences": {
                    "adherence": difference | {"shown": True},
                    "words": difference | {"shown": False},
                },
            }
        ],
        "latency": None,
    }
    text = section(model_card(Kind.MERGED, Facts(recipe(), results=results), FILES), "Figures")

    assert "| Adherence | 0.50 (0.40 to 0.60) | 0.50 (0.40 to 0.60) |" in text
    assert "| BLEU | - | 0.500 (0.400 to 0.600) |" in text
    assert "a difference is shown in Adherence; none is shown in Words in an answer." in text
    assert "`evaluation/report.md`" in text


def test_gates_are_told_by_the_type_of_the_file() -> None:
    manifests = {"export-gguf": manifest(outtype="f16", gates={"tokens": {"lines": 500}})}
    served = {"file": "x.gguf", "lineage": {"parity": {"Q4_K_M": {"logits": {"relative_rms": 0.05}}}}}
    text = section(model_card(Kind.GGUF, Facts(recipe(), manifests, served=served), FILES), "Figures")

    assert "| F16 | tokens | lines 500 |" in text
    assert "| Q4_K_M | logits | relative_rms 0.05 |" in text
    assert "This run was not evaluated." in text


def test_a_run_that_was_not_evaluated_says_so() -> None:
    assert section(model_card(Kind.GGUF, Facts(recipe()), FILES), "Figures").strip() == "This run was not evaluated."
