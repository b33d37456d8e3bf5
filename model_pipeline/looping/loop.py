"""The command loop, read top to bottom: export, curate, prefer, gate, add, canary; each once, and a page of all."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from model_pipeline.data.curated_manifest import SETS, read_manifest
from model_pipeline.errors import (
    ExportFailed,
    InputInvalid,
    MaskWrong,
    ParityFailed,
    PipelineError,
    QuantizationFailed,
    TooFewRows,
    TrainingFailed,
)
from model_pipeline.locking import only_process_in
from model_pipeline.looping.bot_commands import BotCommands
from model_pipeline.looping.leftovers import delete_leftovers
from model_pipeline.looping.page import PAGE_FILE, write_page
from model_pipeline.looping.record import Done, Ending, Step, Turn, open_turn, turn_before
from model_pipeline.recipe import Family, Prefer, Recipe
from model_pipeline.report import Report
from model_pipeline.runs import RECIPE_FILE, Run, Stage, create_run, open_run

MOST_FAILURES = 3  # of the work on the model in one turn: what the machine lacks may be there another night
_OF_THE_WORK = (ExportFailed, MaskWrong, ParityFailed, QuantizationFailed, TrainingFailed)
LEAST_SHARE, MOST_SHARE = 0.01, 0.5  # as the bot takes them


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a turn is asked to do: by which recipe, in which folder the bot runs, and how the model is tried out."""

    recipe: Recipe
    bot: Path
    out: Path
    share: str = "20%"
    least_people: int = 10


class _Ended(Exception):
    """The turn is over before its last step; the text is the sentence that says why. `figures` are of a step done."""

    def __init__(self, ending: Ending, said: str, figures: Mapping[str, Any] | None = None) -> None:
        super().__init__(said)
        self.ending, self.figures = ending, figures


def run_loop(wanted: Wanted, report: Report) -> Ending:
    """Go through the steps that are not done, and write the page after each. Raises `PipelineError`.

    The same turn goes on after that, unless the work on its model has failed `MOST_FAILURES` times.
    """
    preferred(wanted.recipe)
    _check_share(wanted.share)
    turn, bot = open_turn(wanted.out), BotCommands(wanted.bot)
    status = bot.run("model", "status")
    if said := _busy(turn, status):
        report.say(said)
        return Ending.BUSY
    with only_process_in(wanted.out):
        if turn.ending is not Ending.OPEN:
            report.say(f"This turn has ended before: {turn.said}")
            return turn.ending
        try:
            _begin(turn, status, wanted.recipe, bot)
            _complete(turn)
            for step in Step:
                _go_through(step, turn, wanted, bot, report)
            turn.ending, turn.said = Ending.CANARY, turn.steps[-1].said
        except _Ended as end:
            turn.ending, turn.said = end.ending, str(end)
            report.say(turn.said)
        except _OF_THE_WORK as error:
            _count_failure(turn, error)
            report.say(turn.said)
        turn.save()
        write_page(turn)
    delete_leftovers(turn.folder.resolve().parent, bot, report)
    report.say(f"{turn.folder / PAGE_FILE}")
    return turn.ending


def preferred(recipe: Recipe) -> Prefer:
    """The section that the loop cannot do without. Raises `InputInvalid`."""
    if recipe.prefer is None:
        raise InputInvalid(
            f"The recipe {recipe.name} has no section [prefer], so there is nothing to learn from votes."
        )
    if recipe.base.family is Family.STARTER:
        raise InputInvalid(
            f"The recipe {recipe.name} trains a model from scratch, and votes are on one that is served: give a recipe "
            "that starts from that, such as starter-votes."
        )
    return recipe.prefer


def _check_share(share: str) -> None:
    """Raise `InputInvalid` for what the bot would refuse at the very end."""
    number, _, rest = share.strip().partition("%")
    try:
        given = float(number) / (100 if "%" in share else 1)
    except ValueError:
        given = 0.0
    if rest or not LEAST_SHARE <= given <= MOST_SHARE:
        raise InputInvalid(f"{share!r} is no share of the people; give one from 1% to 50%, such as 20%.")


def _busy(turn: Turn, status: Mapping[str, Any]) -> str:
    """Why nothing may be begun now; "" where it may. A turn that has ended, or whose own model it is, may be asked."""
    canary = status["canary"] or {}
    if turn.ending is not Ending.OPEN or canary.get("state") != "running" or canary["name"] == turn.name:
        return ""
    return (
        f"{canary['name']} is still being tried out: the next turn begins when that has ended "
        "(`quotesmith model status`)."
    )


def _count_failure(turn: Turn, error: PipelineError) -> None:
    """End a turn that has failed for the last time; raise the error again where it may be tried once more.

    It goes on by the same words and the same recipe, so that what fails at one try is likely to fail at each.
    """
    turn.failures += 1
    if turn.failures < MOST_FAILURES:
        turn.save()
        raise error
    turn.ending = Ending.FAILED
    turn.said = f"{error} It is the failure number {turn.failures} of this turn, which ends so; the next begins anew."


def _begin(turn: Turn, status: Mapping[str, Any], recipe: Recipe, bot: BotCommands) -> None:
    """Remember what is served, for the turn compares with that. Raises `InputInvalid` if it cannot be trained on."""
    if not turn.against:
        served = bot.run("model", "show", status["active"])
        turn.against, turn.against_sha256 = status["active"], served["sha256"]
        turn.against_folder = str(Path(served["path"]).parent)
        if recipe.base.family is Family.SERVED:
            from model_pipeline.stages.dequantize import check_served  # late: it loads torch

            check_served(_recipe_of(turn, recipe))  # before the turn is saved: another model may be chosen then
        turn.save()


def _complete(turn: Turn) -> None:
    """Train and gate again where a version that knew fewer stages did, unless the bot has the model already."""
    if turn.done(Step.PREFER) and not turn.done(Step.ADD) and _left(open_run(turn.folder / "run")):
        turn.undo(Step.PREFER)


def _go_through(step: Step, turn: Turn, wanted: Wanted, bot: BotCommands, report: Report) -> None:
    """The step, unless it is done."""
    if found := turn.done(step):
        report.say(f"{step}: done before. {found.said}")
        return
    report.say(f"{step}:")
    began = time.monotonic()
    try:
        said, figures = _WORK[step](turn, wanted, bot, report)
    except _Ended as end:
        if end.figures is not None:
            _record(turn, step, str(end), end.figures, began)
        raise
    _record(turn, step, said, figures, began)
    report.say(said)


def _record(turn: Turn, step: Step, said: str, figures: Mapping[str, Any], began: float) -> None:
    turn.steps.append(Done(step, said, round(time.monotonic() - began, 1), dict(figures)))
    turn.save()
    write_page(turn)


# -- the steps: each says in a sentence what it came to, and in figures ------------------------------------------------

_Said = tuple[str, Mapping[str, Any]]


def _export(turn: Turn, wanted: Wanted, bot: BotCommands, report: Report) -> _Said:
    out = turn.folder.resolve() / "export"
    if (out / "manifest.json").is_file():  # a turn that was cut off between the folder and its record
        content = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    else:
        content = bot.run("data", "export", "--out", str(out))
    figures = {key: content[key] for key in ("rows", "pairs", "people", "refused")} | {"sha256": said_in(out)}
    if not content["rows"] and not content["pairs"]:
        raise _Ended(Ending.TOO_FEW, "Nothing may be trained on yet: nobody who agreed to it has said anything.")
    before = turn_before(turn.folder)
    same = before.done(Step.EXPORT) if before else None
    if before and same and same.figures.get("sha256") == figures["sha256"]:
        raise _Ended(Ending.TOO_FEW, f"Nobody has said anything new since the turn of {before.began[:10]}.")
    said = (
        f"{content['rows']:,} replies and {content['pairs']:,} comparisons of {content['people']:,} people who agreed."
    )
    return said, figures


def _curate(turn: Turn, wanted: Wanted, bot: BotCommands, report: Report) -> _Said:
    from model_pipeline.curation.curate import curate  # late: it loads presidio and scikit-learn

    out = turn.folder / "curated"
    if not (out / "manifest.json").is_file():
        curate(turn.folder / "export", out, wanted.recipe.curate, report)
    rows = {name: _lines(out / name / "train.jsonl") for name in SETS}
    held_out = {name: _lines(out / name / "test.jsonl") for name in SETS}
    dropped = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["dropped"]
    least = preferred(wanted.recipe).least_rows
    if max(rows[str(method)] for method in preferred(wanted.recipe).methods) < least:
        found = ", ".join(f"{count} for {name}" for name, count in rows.items())
        raise _Ended(Ending.TOO_FEW, f"Too few votes to learn from: {found}; the recipe wants {least} at least.")
    gate = wanted.recipe.gate
    judges = _people(out, ("validation", "test") if gate.validation else ("test",))
    if judges < gate.least_people:  # the gate would say so too, after the training
        raise _Ended(
            Ending.TOO_FEW,
            f"Too few people to judge a new model: {judges} are held out from learning, and the gate wants "
            f"{gate.least_people} at least (curate.test_share is the share of the people who are).",
        )
    kept = sum(rows.values())
    said = f"{kept:,} rows to learn from and {sum(held_out.values()):,} held out; {sum(dropped.values()):,} dropped."
    return said, {"train": rows, "held_out": held_out, "dropped": dropped}


def _check_everybody_agrees(turn: Turn, bot: BotCommands) -> None:
    """End a turn that holds words of somebody who was forgotten or withdrew since its export, however long ago."""
    export = read_manifest(turn.folder / "curated")["export"]
    stale = next((each for each in bot.run("data", "lineage") if each["name"] == export), None)
    if stale is None:
        return
    ending, why = Ending.WITHDRAWN, "does not consent to training any more"
    if stale["rows"]:
        ending, why = Ending.FORGOTTEN, "was forgotten since"
    left = "What this one exported is deleted."
    if turn.done(Step.PREFER):
        left = f"`quotesmith data lineage --runs {turn.folder}` names what still holds them."
    raise _Ended(
        ending,
        f"Somebody whose words this turn exported {why}, so nothing goes on from them; the next turn exports anew. "
        f"{left}",
    )


def _prefer(turn: Turn, wanted: Wanted, bot: BotCommands, report: Report) -> _Said:
    _check_everybody_agrees(turn, bot)
    run = _run_of(turn, wanted.recipe, report)
    with run.locked():
        try:
            for stage in _left(run):
                report.say(f"{stage}:")
                name = stage.replace("-", "_")
                getattr(import_module(f"model_pipeline.stages.{name}"), name)(run, report)
                _check_everybody_agrees(turn, bot)  # a stage may take hours
        except TooFewRows as few:  # not all that was curated is drawn, is of the sources wanted and fits
            raise _Ended(Ending.TOO_FEW, str(few)) from few
    figures = run.figures(Stage.PREFER)
    learned = [f"{method.upper()} on {each['train_rows']:,} rows" for method, each in figures["methods"].items()]
    return f"The model learned by {' and '.join(learned)}.", figures


def _run_of(turn: Turn, recipe: Recipe, report: Report) -> Run:
    """The turn's run, which goes on by the recipe that it was begun with; a newer pipeline may come with another."""
    folder, asked = turn.folder / "run", _recipe_of(turn, recipe)
    if not (folder / RECIPE_FILE).is_file():
        return create_run(folder, asked)
    run = open_run(folder)
    if run.recipe != asked:
        report.say("This turn goes on by the recipe that its training began with; the next turn takes the new one.")
    return run


def _left(run: Run) -> Sequence[Stage]:
    """The stages that make the model and are not finished; what compares it afterwards is the gate."""
    return [stage for stage in run.stages if stage is not Stage.EVALUATE and not run.is_finished(stage)]


def _gate(turn: Turn, wanted: Wanted, bot: BotCommands, report: Report) -> _Said:
    from model_pipeline.gating.gate import run_gate  # late: it loads scipy and llama.cpp

    out = turn.folder / "gate"
    model, old = turn.folder / "run" / "model", Path(turn.against_folder)
    verdict = run_gate(model, old, turn.folder / "curated", out, wanted.recipe.gate, report)
    found = json.loads((out / "gate.json").read_text(encoding="utf-8"))
    said = f"The gate says {verdict}: {' '.join(found['reasons'])}"
    if verdict != "promote":
        ending = Ending.TOO_FEW if verdict == "too few" else Ending.REFUSED
        raise _Ended(ending, said, found)
    return said, found


def _add(turn: Turn, wanted: Wanted, bot: BotCommands, report: Report) -> _Said:
    _check_everybody_agrees(turn, bot)
    name = f"{wanted.recipe.name}-{datetime.fromisoformat(turn.began):%Y%m%d-%H%M}"
    added = bot.run("model", "add", str((turn.folder / "run" / "model").resolve()), "--name", name)
    turn.name = added["name"]
    return f"The bot has the model {turn.name}.", {"name": turn.name, "sha256": added["sha256"]}


def _canary(turn: Turn, wanted: Wanted, bot: BotCommands, report: Report) -> _Said:
    status = bot.run("model", "status")
    begun = status["canary"] or {}
    if begun.get("name") != turn.name:
        _check_everybody_agrees(turn, bot)
        options = ("--share", wanted.share, "--least-people", str(wanted.least_people))
        begun = bot.run("model", "canary", turn.name, *options)
    said = f"{turn.name} answers {begun['share']:.0%} of the people beside {begun['against']}; their votes decide."
    return said, {key: begun[key] for key in ("name", "against", "share", "begun_at")}


_WORK: Mapping[Step, Callable[[Turn, Wanted, BotCommands, Report], _Said]] = {
    Step.EXPORT: _export,
    Step.CURATE: _curate,
    Step.PREFER: _prefer,
    Step.GATE: _gate,
    Step.ADD: _add,
    Step.CANARY: _canary,
}


def _recipe_of(turn: Turn, recipe: Recipe) -> Recipe:
    """The recipe with this turn's votes, on the model that is served; one of another family starts where it says."""
    prefer = preferred(recipe).model_copy(update={"data": str((turn.folder / "curated").resolve())})
    base = recipe.base
    if base.family is Family.SERVED:
        base = base.model_copy(update={"model": turn.against_folder})
    return recipe.model_copy(update={"prefer": prefer, "base": base})


def said_in(export: Path) -> str:
    """A hash of what was said in an export, the same for the same words and votes: pseudonyms differ each time."""
    digest = hashlib.sha256()
    for name in ("rows.jsonl", "pairs.jsonl"):
        with (export / name).open(encoding="utf-8") as file:
            for line in file:
                digest.update(json.dumps(_nameless(json.loads(line)), sort_keys=True).encode())
    return digest.hexdigest()


def _nameless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nameless(each) for key, each in value.items() if key != "person"}
    return [_nameless(each) for each in value] if isinstance(value, list) else value


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def _people(curated: Path, splits: Sequence[str]) -> int:
    """How many people have said something of votes or pairs in these splits."""
    found = set()
    for path in (curated / name / f"{split}.jsonl" for name in ("kto", "dpo") for split in splits):
        with path.open(encoding="utf-8") as file:
            found |= {json.loads(line)["person"] for line in file}
    return len(found)
