"""The sections Data, Training and How it was made: what a person needs to judge a model or make it again."""

from __future__ import annotations

from model_pipeline.publishing.cards import model_card
from model_pipeline.publishing.facts import Facts, Kind
from tests.unit.pipeline.publishing.run_facts import FILES, manifest, metadata, recipe, section


def test_the_card_tells_settings_results_data_and_versions() -> None:
    trained = manifest("2026-03-02T10:00:00+00:00", trained_parameters=2_250_000, train_loss=1.23)
    manifests = {
        "prepare": manifest() | {"packages": {"datasets": "5.2.0"}},
        "fine-tune": trained | {"packages": {"trl": "1.16.0"}},
    }
    card = model_card(Kind.ADAPTER, Facts(recipe(), manifests, {"train": 1_900, "test": 100}), FILES)

    training, data, making = (section(card, title) for title in ("Training", "Data", "How it was made"))
    assert "| LoRA | r 8, alpha 16, dropout 0, on all-linear |" in training
    assert "| trained parameters | 2,250,000 |" in training
    assert "| training loss | 1.230 |" in training
    assert "`some/quotes`, train split, revision abc (licence: see its page)" in data
    assert "1,900 train, 100 test" in data
    assert "recipe `tiny-quotes`" in making
    assert "begun on 2026-03-01" in making
    assert "datasets 5.2.0, trl 1.16.0" in making


def test_a_model_without_a_base_tells_how_it_was_pretrained() -> None:
    pretrained = recipe(
        base={"family": "starter"}, pretrain={"corpora": [{"path": "texts"}]}, fine_tune={"method": "full"}
    )
    card = model_card(Kind.MERGED, Facts(pretrained), FILES)

    assert "pretrained for it" in card
    assert "| pretrained | 6 layers, 256 wide" in section(card, "Training")
    assert "LoRA" not in card
    assert "lora" not in metadata(card)["tags"]


def test_a_source_is_told_with_the_commit_and_the_licence_that_were_found() -> None:
    sources = [{"name": "some/quotes", "revision": "c0ffee", "license": "cc-by-4.0"}]
    card = model_card(Kind.GGUF, Facts(recipe(), {"prepare": manifest(sources=sources)}), FILES)

    assert "- `some/quotes`, train split, revision c0ffee (licence: cc-by-4.0)" in section(card, "Data")
