"""The command line `quotesmith-pipeline`: what can be typed, and how results and errors are shown; runs the stages.

Everything that loads torch is imported inside the commands, so that help and wrong options answer at once.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from model_pipeline.errors import InputInvalid, Interrupted, PipelineError
from model_pipeline.recipe import (
    Recipe,
    read_curate,
    read_gate,
    read_publish,
    read_recipe,
    recipe_names,
    recipe_text,
)
from model_pipeline.recipe_changes import begin_run
from model_pipeline.report import Report
from model_pipeline.runs import RECIPE_FILE, SMOKE_FOLDER, Run, Stage, check_run_folder, open_run, why_not
from model_pipeline.training_environment import check_environment

GATE_CODES = {"promote": 0, "refuse": 3, "too few": 4}  # 1 is an error and 2 a wrong option
LOOP_CODES = {"canary": 0, "failed": 1, "refused": 3, "too few": 4, "forgotten": 4, "withdrawn": 4, "busy": 4}
INTERRUPTED = 130  # what a shell gives a command that Ctrl-C ended
HELP = "From data to a GGUF model that the bot serves. A run is a folder; a stage that is finished is not run again."


class _Commands(TyperGroup):
    """Says that Ctrl-C was heard: typer itself makes an exit code of it, before `main` could."""

    def invoke(self, ctx: Any) -> Any:
        """What typer does with a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _fail("Stopped; what is finished stays, and the same command does the rest.", INTERRUPTED)


app = typer.Typer(
    cls=_Commands,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Folder = Annotated[Path, typer.Argument(help="The run folder.")]


def main() -> None:
    """Run the command line; what goes wrong is one sentence on standard error."""
    warnings.simplefilter("ignore")  # libraries warn each other; the log of fine-tune keeps what they say there
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # it would tell of each attempt; the last one's failure we tell
    # Threads that spin while they wait keep a neighbour from the processor that both wait for; libgomp reads it when
    # torch is loaded. Figures are in DECISIONS.md.
    os.environ.setdefault("GOMP_SPINCOUNT", "300")
    sys.excepthook = _show_unexpected
    command = typer.main.get_command(app)
    try:
        command()
    except Interrupted as error:
        _fail(f"{error} The same command goes on from there.", INTERRUPTED)
    except PipelineError as error:
        _fail(f"Error: {error}", 1)
    except OSError as error:
        if not _is_of_output(error):
            raise
        # Else the interpreter would complain about it as well while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"Error: The output cannot be written ({error.strerror}).", 1)


@app.command()
def recipes() -> None:
    """List the recipes that come with this package."""
    for name in recipe_names():
        typer.echo(f"{name:24} {_first_sentence(read_recipe(name).about)}")


@app.command()
def show(recipe: Annotated[str, typer.Argument(help="A recipe's name, or the path of a .toml file.")]) -> None:
    """Print a recipe, once it is found to be valid."""
    read_recipe(recipe)
    typer.echo(recipe_text(recipe).rstrip())


@app.command()
def run(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or the path of a .toml file.")],
    out: Annotated[Path | None, typer.Option(help="The run folder; runs/RECIPE if it is not given.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Such as fine_tune.r=16; may be repeated.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="A small stand-in model and small data: minutes.")] = False,
    again: Annotated[Stage | None, typer.Option(help="Do this stage and those behind it anew.")] = None,
) -> None:
    """Go through every stage of a recipe; publishing is a command of its own."""
    chosen = read_recipe(recipe, set_ or [])
    check_environment()
    folder, report = out or Path("runs") / f"{chosen.name}{'-smoke' if smoke else ''}", Report()
    begun = begin_run(folder, _scaled(chosen, folder, report) if smoke else chosen, report.say, again)
    with begun.locked():
        for stage in begun.stages:
            _go_through(begun, stage, report)
        if begun.recipe.published:
            from model_pipeline.evaluation.run_comparison import show_against_published  # late: it loads scipy

            show_against_published(begun, report)
    typer.echo(f"The model is ready: quotesmith model add {begun.model_folder}")


@app.command()
def compare(left: Folder, right: Folder) -> None:
    """Show the settings and figures of two runs side by side, and beside those that were published."""
    runs = open_run(left), open_run(right)
    check_environment()
    from model_pipeline.evaluation.run_comparison import compare_runs  # late: it loads scipy

    compare_runs(*runs, Report())


@app.command()
def gate(
    new: Annotated[Path, typer.Argument(help="The model that may be promoted: a model folder or a run folder.")],
    old: Annotated[Path, typer.Argument(help="The model that is served now.")],
    data: Annotated[Path, typer.Option(help="The folder that curate wrote; its test rows decide.")],
    out: Annotated[Path, typer.Option(help="Where gate.json and the report go.")] = Path("gate"),
    recipe: Annotated[str, typer.Option(help="A recipe whose section [gate] is used; a run has its own.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Such as gate.prompts=100; may be repeated.")] = None,
) -> None:
    """Say whether a new model may take an old one's place: ends with 0 (promote), 3 (refuse) or 4 (too few data)."""
    settings = read_gate(recipe, set_ or [], open_run(new).recipe.gate if (new / RECIPE_FILE).is_file() else None)
    check_environment()
    from model_pipeline.gating.gate import run_gate  # late: it loads scipy and llama.cpp

    verdict = run_gate(new, old, data, out, settings, Report())
    raise typer.Exit(GATE_CODES[verdict])


@app.command()
def publish(
    folder: Folder,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go, and send nothing.")] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Such as publish.gguf=OWNER/NAME.")] = None,
) -> None:
    """Send adapters, merged model, GGUF and dataset to the model hub, as the recipe names them."""
    begun = open_run(folder)
    check_environment()
    from model_pipeline.stages.publish import publish as send  # late: it loads huggingface_hub

    with begun.locked():
        send(Run(folder, _with_names(begun.recipe, set_ or [])), Report(), dry_run)


@app.command()
def curate(
    export: Annotated[Path, typer.Argument(help="The folder that quotesmith data export wrote.")],
    out: Annotated[Path | None, typer.Option(help="A new folder; curated/EXPORT if it is not given.")] = None,
    recipe: Annotated[str, typer.Option(help="A recipe whose section [curate] counts.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Such as curate.margin=0.3; may be repeated.")] = None,
) -> None:
    """Turn an export of the bot into SFT, KTO and DPO sets: without personal data, weighed, and divided by person."""
    settings = read_curate(recipe, set_ or [])
    check_environment()
    from model_pipeline.curation.curate import curate as make  # late: it loads presidio and scikit-learn

    folder = out or Path("curated") / export.resolve().name
    make(export, folder, settings, Report())
    typer.echo(f"Curated: {folder}; quotesmith-pipeline review {folder} shows it to you line by line.")


@app.command()
def review(
    folder: Annotated[Path, typer.Argument(help="The folder that curate wrote.")],
    only_apply: Annotated[
        bool, typer.Option("--apply", help="Ask nothing; write the decisions made so far into the sets.")
    ] = False,
) -> None:
    """Go through the lines of the sets by hand: accept, reject, edit. Another time it goes on from there."""
    check_environment()
    from model_pipeline.curation import review as reviewing  # late: rich panels, and what checks an edit
    from model_pipeline.curation.edited_text import checked_by

    if only_apply:
        reviewing.apply(folder, Report())
    else:
        reviewing.review(folder, sys.stdin.readline, checked_by(folder), Report())


@app.command()
def loop(
    bot: Annotated[Path, typer.Option(help="The folder that the bot runs in, with its config.toml.")] = Path(),
    recipe: Annotated[str, typer.Option(help="A recipe with a section [prefer].")] = "starter-votes",
    out: Annotated[Path | None, typer.Option(help="The folder of one turn.")] = None,
    loops: Annotated[Path, typer.Option(help="Where turns lie; one that has not ended goes on.")] = Path("loops"),
    share: Annotated[str, typer.Option(help="How many of the people try a new model out, from 1% to 50%.")] = "20%",
    least_people: Annotated[int, typer.Option(min=1, help="Who must have said something before that is decided.")] = 10,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Such as prefer.epochs=1; may be repeated.")] = None,
) -> None:
    """From votes to a model that people try out: export, curate, prefer, gate, add and canary, fit for a nightly timer.

    Ends with 0 (a model is being tried out), 3 (the gate refused it) or 4 (too few votes, another model is being tried
    out, or somebody who had agreed was forgotten meanwhile or agrees no more).
    """
    chosen = read_recipe(recipe, set_ or [])
    check_environment()
    from model_pipeline.looping.loop import Wanted, run_loop  # late: it reads what other stages load
    from model_pipeline.looping.record import next_folder

    ending = run_loop(Wanted(chosen, bot, out or next_folder(loops), share, least_people), Report())
    raise typer.Exit(LOOP_CODES[ending])


def _stage_command(stage: Stage, about: str) -> None:
    @app.command(stage.value, help=about)
    def command(
        folder: Folder,
        again: Annotated[
            bool, typer.Option("--again", help="Run it anew, though it is finished, and forget the stages behind it.")
        ] = False,
    ) -> None:
        begun = open_run(folder)
        check_environment()
        if reason := why_not(stage, begun.recipe):
            raise InputInvalid(reason)
        with begun.locked():
            if again:
                begun.restart(stage)
            _go_through(begun, stage, Report())


for _stage, _about in {
    Stage.DEQUANTIZE: "Take the GGUF of a served base apart, and prove that what comes out is the same model.",
    Stage.PREPARE: "Read the recipe's data, and make training, validation and test rows of it.",
    Stage.PRETRAIN: "Train a tokenizer and a model from scratch, for recipes that begin with none.",
    Stage.FINE_TUNE: "Fine-tune the base model on the prepared rows.",
    Stage.PREFER: "Learn what people prefer from curated votes, corrections and pairs.",
    Stage.MERGE: "Merge the adapter into the base model.",
    Stage.EXPORT_GGUF: "Convert the merged model to GGUF, and prove that it is the same model.",
    Stage.QUANTIZE: "Quantize the GGUF, and write the model folder for the bot.",
    Stage.JUDGE: "Train what chooses among several quotes of the model, for recipes that ask for it.",
    Stage.EVALUATE: "Compare base, tuned and quantized model on held-out rows.",
}.items():
    _stage_command(_stage, _about)


def _go_through(run: Run, stage: Stage, report: Report) -> None:
    """The stage, unless it is finished."""
    if run.is_finished(stage):
        report.say(f"{stage}: finished before.")
        return
    report.say(f"{stage}:")
    module = import_module(f"model_pipeline.stages.{stage.replace('-', '_')}")
    work: Callable[[Run, Report], None] = getattr(module, stage.replace("-", "_"))
    work(run, report)


def _scaled(recipe: Recipe, folder: Path, report: Report) -> Recipe:
    from model_pipeline.smoke.scale import smoke_recipe  # late: it loads transformers

    check_run_folder(folder)
    return smoke_recipe(recipe, folder / SMOKE_FOLDER, report.say)


def _with_names(recipe: Recipe, settings: list[str]) -> Recipe:
    """The recipe of a run with other repositories, the only thing of it that may change afterwards."""
    for setting in settings:
        key, equals, _ = setting.partition("=")
        section, _, kind = key.strip().partition(".")
        if section != "publish" or kind not in type(recipe.publish).model_fields or not equals:
            kinds = ", ".join(f"publish.{name}" for name in type(recipe.publish).model_fields)
            raise InputInvalid(f"{setting!r} cannot be set for a run that is there; allowed are {kinds}.")
    return recipe.model_copy(update={"publish": read_publish(recipe.publish, settings)})


def _first_sentence(text: str) -> str:
    line = " ".join(text.split())
    return line.partition(". ")[0].rstrip(".") + "."


def _is_of_output(error: OSError) -> bool:
    """Whether it was printing that failed, and not a file or a connection."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_code is typer.echo.__code__


def _show_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The hook for what nothing else caught: a defect gets a sentence, and a file its traceback."""
    if issubclass(kind, KeyboardInterrupt):
        return
    place = traceback.extract_tb(trace)[-1]
    what = f"{kind.__name__} at {Path(place.filename).name}:{place.lineno}"
    if isinstance(error, OSError) and error.strerror:  # it may be the machine's and not ours
        what += f": {error.strerror}"
    Report().say(f"Error: This is a defect of Quotesmith ({what}). Please report it{_kept_traceback(error)}.")


def _kept_traceback(error: BaseException) -> str:
    """Where the traceback lies, as the end of a sentence; "" where it cannot be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", errors="replace", prefix="quotesmith-pipeline-", suffix=".txt", delete=False
        ) as file:
            file.writelines(traceback.format_exception(error))
    except OSError:
        return ""
    return f" with {file.name}"


def _fail(sentence: str, code: int) -> NoReturn:
    Report().console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
