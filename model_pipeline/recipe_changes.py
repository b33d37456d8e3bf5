"""Goes on with a run by a recipe that may have changed since, where no stage that stays would be untrue by it.

Knows which stage is the first that rests on a key, and which keys only decide how much memory a stage takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from model_pipeline.dotted_keys import by_dotted_keys
from model_pipeline.errors import InputInvalid
from model_pipeline.processes import is_main_process
from model_pipeline.recipe import Recipe
from model_pipeline.runs import RECIPE_FILE, Run, Stage, create_run, open_run, why_not, write_recipe

Say = Callable[[str], None]

_NO_STAGE: Final = Stage.PUBLISH  # which takes the recipe as it finds it, as commands do that are no stage
_FIRST: Mapping[str, Stage] = {  # on any other key the first stage of all rests
    "about": _NO_STAGE,
    "curate": _NO_STAGE,
    "gate": _NO_STAGE,
    "publish": _NO_STAGE,
    "published": _NO_STAGE,
    "data": Stage.PREPARE,
    "pretrain": Stage.PRETRAIN,
    "fine_tune": Stage.FINE_TUNE,
    "prefer": Stage.PREFER,
    "export.outtype": Stage.MERGE,
    "export": Stage.EXPORT_GGUF,
    "license": Stage.EXPORT_GGUF,
    "quantize": Stage.QUANTIZE,
    "served.card": Stage.QUANTIZE,
    "served.context_tokens": Stage.QUANTIZE,
    "served.sampling": Stage.QUANTIZE,
    "judge": Stage.QUANTIZE,  # the section as a whole: where there is none, the model keeps the judge of its base
    "judge.*": Stage.JUDGE,
    "evaluate": Stage.EVALUATE,
}
_WHAT_IT_IS = ("name", "smoke")  # another one's run is another run
_PROGRESS = ("checkpoint-*", "figures.json", ".texts")  # what a stage goes on from that was stopped or failed


def _nothing(recipe: Recipe) -> object:
    return None


def _pretrained_at_once(recipe: Recipe) -> object:
    return recipe.pretrain and math.prod(recipe.pretrain.batches)


def _tuned_at_once(recipe: Recipe) -> object:
    return recipe.fine_tune and recipe.fine_tune.batch_size * recipe.fine_tune.accumulate


_AS_BEFORE: Mapping[str, Callable[[Recipe], object]] = {  # what must stay where the key only decides about memory
    "pretrain.micro_batch": _pretrained_at_once,
    "fine_tune.activation_checkpointing": _nothing,
    "fine_tune.batch_size": _tuned_at_once,
    "fine_tune.accumulate": _tuned_at_once,
    "prefer.activation_checkpointing": _nothing,
    "judge.batch_size": _nothing,
    "evaluate.batch_size": _nothing,
}
_ABSENT: Final = object()
_LONGEST = 60  # characters of a value that are shown


def begin_run(folder: Path, recipe: Recipe, say: Say, again: Stage | None = None) -> Run:
    """The run in that folder by that recipe: new, gone on with, or begun anew from the stage `again` on.

    What changed in its recipe is written down and said. Raises `InputInvalid` where a stage that stays rests on it.
    """
    former = open_run(folder) if (folder / RECIPE_FILE).is_file() else None
    # One that the run has been through and the recipe asks for no more is forgotten, and not done.
    known = {*Run(folder, recipe).stages, *(former.stages if former else ())}
    if again and again not in known:
        raise InputInvalid(why_not(again, recipe) or f"`run` does not {again}, which is a command of its own.")
    if former is None:
        return create_run(folder, recipe)
    if not again and not _changed(former.recipe, recipe):
        return former
    begun = Run(folder, recipe)
    with begun.locked():
        _go_on(open_run(folder), begun, again, say)
    return begun


def _go_on(former: Run, begun: Run, again: Stage | None, say: Say) -> None:
    changed = _changed(former.recipe, begun.recipe)
    for key in sorted(changed, key=lambda key: key not in _WHAT_IT_IS):
        _check(key, changed[key], former, begun.recipe, again)
    if not is_main_process():  # the first one does it for all
        return
    # The lineage of a model names the recipe that it was made by, which is to be found where the bot has that model.
    made_a_model = former.is_finished(Stage.QUANTIZE)
    if again:
        former.restart(again)  # before its recipe is another's
    if not changed:
        return
    write_recipe(begun.folder, begun.recipe, keep_former=made_a_model)
    say(f"The recipe of this run is changed: {', '.join(_told(key, *values) for key, values in changed.items())}.")


def _check(key: str, values: tuple[object, object], former: Run, recipe: Recipe, again: Stage | None) -> None:
    """Raise `InputInvalid` if a stage that stays rests on the key."""
    begun = f"{former.folder} was begun with another {_told(key, *values)}"
    if key in _WHAT_IT_IS:
        raise InputInvalid(f"{begun}; choose another folder with --out.")
    if key in _AS_BEFORE and _AS_BEFORE[key](former.recipe) == _AS_BEFORE[key](recipe):
        return
    stages = list(Stage)
    rests = stages[stages.index(_first(key)) : stages.index(again or _NO_STAGE)]
    stage = next((each for each in rests if _stays(former, each)), None)
    if stage is None:
        return
    unless = ", unless a step takes as many examples as before" if key in _AS_BEFORE else ""
    raise InputInvalid(
        f"{begun}, and {stage} rests on it{unless}; choose another folder with --out, or have that stage and those "
        f"behind it done anew with --again {stage}."
    )


def _first(key: str) -> Stage:
    """The first stage that rests on a key, by the longest part of it that is known."""
    parts = key.split(".")
    known = [key, *(f"{'.'.join(parts[:count])}{end}" for count in range(len(parts) - 1, 0, -1) for end in (".*", ""))]
    return next((_FIRST[each] for each in known if each in _FIRST), next(iter(Stage)))


def _stays(run: Run, stage: Stage) -> bool:
    """Something is left of the stage that the run would not make anew."""
    return run.is_finished(stage) or any(any(run.of(stage).rglob(name)) for name in _PROGRESS)


def _changed(old: Recipe, new: Recipe) -> dict[str, tuple[object, object]]:
    """The keys whose values differ, with both."""
    left, right = (by_dotted_keys(recipe.model_dump(mode="json")) for recipe in (old, new))
    both = {key: (left.get(key, _ABSENT), right.get(key, _ABSENT)) for key in sorted({*left, *right})}
    return {key: values for key, values in both.items() if values[0] != values[1]}


def _told(key: str, before: object, now: object) -> str:
    return f"{key} ({_shown(before)}, now {_shown(now)})"


def _shown(value: object) -> str:
    text = "absent" if value is _ABSENT else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
