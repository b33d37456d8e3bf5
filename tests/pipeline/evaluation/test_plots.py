from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from model_pipeline.evaluation.answers import Answer, Answers
from model_pipeline.evaluation.comparison import Comparison
from model_pipeline.evaluation.plots import COLOURS, draw_plots
from tests.pipeline.evaluation.evaluated import ROWS, asked_rows, base_model, compared, three_models, tuned_model


def only(comparison: Comparison, *names: str) -> Comparison:
    """The same comparison with these figures alone, for drawing takes its time."""
    kept = [{name: model.figures[name] for name in names if name in model.figures} for model in comparison.models]
    models = tuple(replace(model, figures=figures) for model, figures in zip(comparison.models, kept, strict=True))
    return replace(comparison, models=models)


def coloured(path: Path, colour: str) -> int:
    """How many pixels of the picture have that colour."""
    wanted = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return int((np.abs(imread(path)[:, :, :3] - wanted).max(axis=-1) < 0.01).sum())


def test_every_figure_and_the_lengths_are_drawn(tmp_path: Path) -> None:
    comparison, models = compared(), three_models()
    plots = draw_plots(tmp_path, comparison, asked_rows(), models)
    assert {plot.path.stem for plot in plots} == {*comparison.models[0].figures, "lengths"}
    assert sorted(tmp_path.iterdir()) == sorted(plot.path for plot in plots)
    assert next(plot for plot in plots if plot.path.stem == "adherence").description == (
        "Adherence: base 0.00; tuned 1.00; quantized 1.00"
    )


def test_a_bar_is_as_long_as_its_value(tmp_path: Path) -> None:
    draw_plots(tmp_path, only(compared(), "adherence"), asked_rows(), three_models())
    base, tuned, quantized = (coloured(tmp_path / "adherence.png", colour) for colour in COLOURS[:3])
    assert base == 0
    assert tuned > 1000
    assert quantized == pytest.approx(tuned, rel=0.05)


def test_the_same_answers_give_the_same_pictures(tmp_path: Path) -> None:
    pictures = []
    for folder in (tmp_path / "once", tmp_path / "again"):
        folder.mkdir()
        plots = draw_plots(folder, only(compared(base_model()), "bleu"), asked_rows(), [base_model()])
        pictures.append([plot.path.read_bytes() for plot in plots])
    assert pictures[0] == pictures[1]


def test_long_odd_names_silence_and_endless_answers_can_be_drawn(tmp_path: Path) -> None:
    silent = Answers("a $very$ long_name " * 3, (Answer("", True, 1),) * ROWS)
    endless = Answers("endless", (Answer("word " * 3000, False, 3000), *tuned_model().answers[1:]))
    models = (silent, endless)
    plots = draw_plots(tmp_path, only(compared(*models), "words", "bleu", "distinct_1"), asked_rows(), models)
    assert all(plot.path.stat().st_size > 1000 for plot in plots)
    assert next(plot for plot in plots if plot.path.stem == "distinct_1").description.startswith("Distinct-1: endless")
