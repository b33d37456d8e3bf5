"""A turn of the loop beside a real bot folder: its database, its models, and the commands of the bot."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.chat.eligibility import TERMS_VERSION
from bot.chat.messages import ConversationKey, MessageKind, Platform, Vote, VoteSource
from bot.storage.database import Database
from model_pipeline.cli import app
from model_pipeline.errors import InputInvalid, ParityFailed, PipelineError, TrainingFailed
from model_pipeline.looping import bot_commands
from model_pipeline.looping.bot_commands import BotCommands
from model_pipeline.looping.loop import Wanted, run_loop
from model_pipeline.looping.record import Done, Ending, Step, next_folder, open_turn
from model_pipeline.recipe import Recipe, read_recipe
from model_pipeline.report import Report
from model_pipeline.runs import Run, create_run, sha256
from tests.integration.storage.conftest import key_of, stores_over, url_of
from tests.model_folders import twin_of_the_embedded_model
from tests.pipeline.curated_folder import write_curated
from tests.pipeline.prepared_run import Quiet
from tests.unit.pipeline.looping.turns import turn

SMALL = [
    "data.max_rows=120",
    "data.validation_share=0.1",  # whatever rows are drawn, some are left for it
    "prefer.max_steps=2",
    "prefer.batch_size=4",
    "prefer.least_rows=4",
    "gate.least_people=2",
    "curate.test_share=0.3",
    "gate.prompts=4",
    "gate.least_prompts=2",
    "gate.chats=0",
    "gate.written=10",
    "gate.least_written=2",
    "curate.near_duplicate=1",
    "judge.most_keywords=20",
    "judge.epochs=1",
]


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    """The folder of a bot, with settings of its own."""
    folder = tmp_path / "bot"
    folder.mkdir()
    (folder / "config.toml").write_text("[inference]\nthreads = 1\n[quote]\ncandidates = 1\npool_depth = 0\n")
    return folder


def recipe(*settings: str) -> Recipe:
    return read_recipe("starter-votes", list(settings))


def wanted(bot: Path, out: Path, *settings: str) -> Wanted:
    return Wanted(recipe(*settings), bot, out, share="30%", least_people=12)


def reader(number: int) -> ConversationKey:
    """Somebody in their private chat."""
    return key_of(f"10{number}", chat=f"10{number}", platform=Platform.TELEGRAM)


def votes(bot: Path, people: int, each: int = 2) -> None:
    """People who agreed like one quote and dislike the next."""

    async def write() -> None:
        database = await Database.open(url_of(bot / "data" / "quotesmith.db"))
        try:
            stores = stores_over(database)
            for number in range(people):
                key = reader(number)
                await stores.consents.record(key.platform, key.user_id, TERMS_VERSION, True)
                for one in range(each):
                    keyword = f"{['harbor', 'kettle', 'winter', 'bicycle'][one % 4]} {number}"
                    text = f"The {keyword} is number {number * each + one} of what I keep."
                    reply = await stores.say(key, keyword, text, MessageKind.QUOTE)
                    await stores.feedback.add_vote(key, reply, (Vote.UP, Vote.DOWN)[one % 2], VoteSource.BUTTON)
        finally:
            await database.close()

    (bot / "data").mkdir(exist_ok=True)
    asyncio.run(write())


def forget(bot: Path, key: ConversationKey) -> None:
    BotCommands(bot).run("data", "forget", str(key.platform), key.user_id)


def withdraw(bot: Path, key: ConversationKey) -> None:
    """As `/consent off` does."""

    async def write() -> None:
        database = await Database.open(url_of(bot / "data" / "quotesmith.db"))
        try:
            await stores_over(database).consents.record(key.platform, key.user_id, TERMS_VERSION, False)
        finally:
            await database.close()

    asyncio.run(write())


def exported(bot: Path, out: Path) -> None:
    """A turn with the export of a few votes, on its way to training."""
    votes(bot, people=2)
    turn(out, Step.CURATE)
    export = BotCommands(bot).run("data", "export", "--out", str(out / "export"))
    write_curated(out, export=export["name"])


def exports_on_record(bot: Path) -> set[str]:
    """Where the exports lie that the bot knows of."""
    with closing(sqlite3.connect(bot / "data" / "quotesmith.db")) as database:
        return {folder for (folder,) in database.execute("SELECT folder FROM exports")}


def nothing_left_of(out: Path, bot: Path) -> bool:
    """Record, lock and page alone; and the bot knows nothing of its export."""
    kept = {path.name for path in out.iterdir()}
    return kept <= {"loop.json", "report.html", ".lock"} and str(out / "export") not in exports_on_record(bot)


def ready_for_the_bot(out: Path, served: Path) -> None:
    """A turn that the gate let through: a model that differs from what is served."""
    if not (out / "curated").is_dir():
        write_curated(out)
    made = turn(out, Step.GATE)
    made.against_folder = str(served)
    made.save()
    run = create_run(out / "run", recipe())
    for stage in run.stages:
        run.begin(stage)
        run.finish(stage, datetime.now(UTC), {})
    twin_of_the_embedded_model(out / "run" / "model", "twin")


def test_where_nobody_agreed_it_ends_with_a_sentence(bot: Path, tmp_path: Path) -> None:
    out = tmp_path / "turn"
    assert run_loop(wanted(bot, out), Report()) is Ending.TOO_FEW
    assert open_turn(out).said == "Nothing may be trained on yet: nobody who agreed to it has said anything."
    assert "Nothing may be trained on yet" in (out / "report.html").read_text()
    assert run_loop(wanted(bot, out), Report()) is Ending.TOO_FEW  # it has ended, and says so again


def test_a_model_that_cannot_be_trained_on_is_refused_before_anything_is_exported(bot: Path, tmp_path: Path) -> None:
    folder = twin_of_the_embedded_model(tmp_path / "asked", "asked-otherwise")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["quote_prompt"]["lower_case"] = False
    (folder / "manifest.json").write_text(json.dumps(manifest))
    BotCommands(bot).run("model", "add", str(folder))
    BotCommands(bot).run("model", "use", "asked-otherwise")
    with pytest.raises(InputInvalid, match="lower_case is True, and asked-otherwise is asked with False"):
        run_loop(wanted(bot, tmp_path / "turn"), Report())
    assert not (tmp_path / "turn" / "export").exists()
    BotCommands(bot).run("model", "use", "starter")
    assert run_loop(wanted(bot, tmp_path / "turn"), Report()) is Ending.TOO_FEW  # it goes on with what is served now


def test_too_few_votes_are_counted_out_loud(bot: Path, tmp_path: Path) -> None:
    votes(bot, people=3)
    arguments = ["loop", "--bot", str(bot), "--out", str(tmp_path / "turn")]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 4, done.output
    assert "Too few votes to learn from:" in done.output and "the recipe wants" in done.output
    assert nothing_left_of(tmp_path / "turn", bot)


def test_what_an_ended_turn_could_not_delete_goes_with_the_next_one(bot: Path, tmp_path: Path) -> None:
    ended, trained, going_on = (tmp_path / "loops" / name for name in ("ended", "trained", "going on"))
    for folder, step, ending in (
        (ended, Step.EXPORT, Ending.TOO_FEW),
        (trained, Step.GATE, Ending.REFUSED),
        (going_on, Step.CURATE, Ending.OPEN),
    ):
        exported(bot, folder)
        turn(folder, step, ending)
    (ended / ".export-killed").mkdir()
    run_loop(wanted(bot, tmp_path / "loops" / "now"), Report())
    assert sorted(path.name for path in ended.iterdir()) == ["loop.json"]
    assert all((folder / name).is_dir() for folder in (trained, going_on) for name in ("export", "curated"))
    assert exports_on_record(bot) == {str(folder / "export") for folder in (trained, going_on)}


def test_an_export_that_a_model_was_made_of_stays_on_record_and_this_is_said(bot: Path, tmp_path: Path) -> None:
    ended, report = tmp_path / "loops" / "ended", Quiet()
    exported(bot, ended)
    turn(ended, Step.EXPORT, Ending.TOO_FEW)
    made = twin_of_the_embedded_model(tmp_path / "made", "made")
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["lineage"] = {"exports": [json.loads((ended / "export" / "manifest.json").read_text())["export"]]}
    (made / "manifest.json").write_text(json.dumps(manifest))
    BotCommands(bot).run("model", "add", str(made))
    assert run_loop(wanted(bot, tmp_path / "loops" / "now"), report) is Ending.TOO_FEW
    assert "what was made of it: remove the model made first." in report.heard.getvalue()
    assert exports_on_record(bot) == {str(ended / "export")}


def test_too_few_judges_are_told_before_anything_is_trained(bot: Path, tmp_path: Path) -> None:
    votes(bot, people=16, each=4)
    settings = [each for each in SMALL if not each.startswith("gate.least_people")]
    assert run_loop(wanted(bot, tmp_path / "turn", *settings), Report()) is Ending.TOO_FEW
    assert "Too few people to judge a new model: " in open_turn(tmp_path / "turn").said
    assert nothing_left_of(tmp_path / "turn", bot)


def test_where_too_few_votes_are_of_use_the_turn_ends_and_the_next_one_exports_anew(bot: Path, tmp_path: Path) -> None:
    votes(bot, people=30, each=4)
    out = tmp_path / "loops" / "first"
    assert run_loop(wanted(bot, out, *SMALL, 'prefer.sources=["correction"]'), Report()) is Ending.TOO_FEW
    assert "kto has 0 training rows, and prefer.least_rows asks for 4" in open_turn(out).said
    assert open_turn(out).said in (out / "report.html").read_text()
    assert nothing_left_of(out, bot)
    assert next_folder(tmp_path / "loops") != out


def test_a_model_that_passed_is_tried_out_and_never_twice(bot: Path, tmp_path: Path) -> None:
    out = tmp_path / "turn"
    ready_for_the_bot(out, tmp_path)
    assert run_loop(wanted(bot, out), Report()) is Ending.CANARY
    status = BotCommands(bot).run("model", "status")
    name = open_turn(out).name
    assert status["active"] == "starter"
    assert (status["canary"]["name"], status["canary"]["state"], status["canary"]["share"]) == (name, "running", 0.3)
    assert f"{name} answers 30% of the people beside starter" in (out / "report.html").read_text()
    assert run_loop(wanted(bot, out), Report()) is Ending.CANARY
    assert len(BotCommands(bot).run("model", "list")["models"]) == 2


def test_a_turn_that_was_cut_off_before_its_record_goes_on(bot: Path, tmp_path: Path) -> None:
    out = tmp_path / "turn"
    ready_for_the_bot(out, tmp_path)
    run_loop(wanted(bot, out), Report())
    cut = open_turn(out)
    cut.steps, cut.ending, cut.said = [each for each in cut.steps if each.step is not Step.CANARY], Ending.OPEN, ""
    cut.save()
    assert run_loop(wanted(bot, out), Report()) is Ending.CANARY


@pytest.mark.parametrize(
    ("goes", "why"), [(forget, "was forgotten since"), (withdraw, "does not consent to training any more")]
)
def test_nothing_is_trained_on_who_was_forgotten_or_withdrew_after_the_export(
    goes: Callable[[Path, ConversationKey], None], why: str, bot: Path, tmp_path: Path
) -> None:
    out = tmp_path / "loops" / "first"
    exported(bot, out)
    goes(bot, reader(0))
    done = CliRunner().invoke(app, ["loop", "--bot", str(bot), "--out", str(out)])
    assert done.exit_code == 4, done.output
    assert open_turn(out).said == (
        f"Somebody whose words this turn exported {why}, so nothing goes on from them; the next turn exports anew. "
        "What this one exported is deleted."
    )
    assert nothing_left_of(out, bot)
    assert next_folder(tmp_path / "loops") != out


def test_who_withdraws_while_a_stage_works_ends_the_turn_before_the_next_stage(
    bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "turn"
    exported(bot, out)
    monkeypatch.setattr("model_pipeline.stages.dequantize.dequantize", lambda run, report: withdraw(bot, reader(1)))
    assert run_loop(wanted(bot, out), Report()) is Ending.WITHDRAWN
    assert not open_turn(out).done(Step.PREFER)
    assert nothing_left_of(out, bot)


@pytest.mark.parametrize("last", [Step.GATE, Step.ADD])
@pytest.mark.parametrize(("goes", "ending"), [(forget, Ending.FORGOTTEN), (withdraw, Ending.WITHDRAWN)])
def test_no_model_of_somebody_who_was_forgotten_or_withdrew_meanwhile_is_tried_out(
    goes: Callable[[Path, ConversationKey], None], ending: Ending, last: Step, bot: Path, tmp_path: Path
) -> None:
    out = tmp_path / "turn"
    exported(bot, out)
    ready_for_the_bot(out, tmp_path)
    if last is Step.ADD:  # cut off before it was tried out
        turn(out, Step.ADD)
    goes(bot, reader(1))
    assert run_loop(wanted(bot, out), Report()) is ending
    assert [each["name"] for each in BotCommands(bot).run("model", "list")["models"]] == ["starter"]
    assert BotCommands(bot).run("model", "status")["canary"] is None
    assert open_turn(out).said in (out / "report.html").read_text()


def test_a_turn_goes_on_by_the_recipe_that_its_training_began_with(bot: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "turn", Quiet()
    exported(bot, out)
    run = create_run(out / "run", recipe("prefer.epochs=7"))  # of an earlier version of the pipeline
    for stage in run.stages:
        run.begin(stage)
        run.finish(stage, datetime.now(UTC), {"methods": {"kto": {"train_rows": 90}}})
    with pytest.raises(PipelineError, match="holds no model"):  # the gate, for nothing was trained
        run_loop(wanted(bot, out), report)
    assert open_turn(out).steps[-1].said == "The model learned by KTO on 90 rows."
    assert "goes on by the recipe that its training began with" in report.heard.getvalue()


def test_whoever_is_forgotten_of_another_turn_ends_no_turn(bot: Path, tmp_path: Path) -> None:
    votes(bot, people=1)
    BotCommands(bot).run("data", "export", "--out", str(tmp_path / "earlier"))
    forget(bot, reader(0))
    out = tmp_path / "turn"
    exported(bot, out)
    ready_for_the_bot(out, tmp_path)
    assert run_loop(wanted(bot, out), Report()) is Ending.CANARY


def test_no_turn_begins_while_a_model_is_tried_out(bot: Path, tmp_path: Path) -> None:
    ready_for_the_bot(tmp_path / "first", tmp_path)
    run_loop(wanted(bot, tmp_path / "first"), Report())
    done = CliRunner().invoke(app, ["loop", "--bot", str(bot), "--out", str(tmp_path / "second")])
    assert done.exit_code == 4
    assert "is still being tried out: the next turn begins when that has ended" in done.output.replace("\n", " ")
    assert not (tmp_path / "second").exists()


def test_what_the_bot_refuses_is_said_in_its_own_words(bot: Path, tmp_path: Path) -> None:
    (bot / "config.toml").write_text("[inference]\nslot = 3\n")
    with pytest.raises(InputInvalid, match=r"^quotesmith model status failed: .*slot"):
        run_loop(wanted(bot, tmp_path / "turn"), Report())


@pytest.mark.parametrize("kind", [ParityFailed, TrainingFailed])
def test_a_turn_whose_training_fails_each_night_is_over_after_three_and_the_next_begins_anew(
    kind: type[PipelineError], bot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, report = tmp_path / "loops" / "first", Quiet()
    exported(bot, out)

    def fails(run: Run, report: Report) -> None:
        raise kind("The logits differ.")

    monkeypatch.setattr("model_pipeline.stages.dequantize.dequantize", fails)
    for _ in range(2):
        with pytest.raises(kind):
            run_loop(wanted(bot, next_folder(tmp_path / "loops")), report)
        assert (out / "curated").is_dir() and next_folder(tmp_path / "loops") == out
    done = CliRunner().invoke(app, ["loop", "--bot", str(bot), "--out", str(out)])
    assert (done.exit_code, open_turn(out).ending) == (1, Ending.FAILED)
    said = "The logits differ. It is the failure number 3 of this turn, which ends so; the next begins anew."
    assert open_turn(out).said == said and said in (out / "report.html").read_text()
    assert nothing_left_of(out, bot) and next_folder(tmp_path / "loops") != out


def test_a_command_of_the_bot_that_takes_too_long_is_one_sentence(bot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bot_commands, "LIMIT_S", 0)
    with pytest.raises(InputInvalid, match=r"^quotesmith model status was not done after 0 s, and was stopped\.$"):
        BotCommands(bot).run("model", "status")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--bot", "nowhere"], "nowhere is not a folder; give the one that the bot runs in."),
        (["--recipe", "gpt2-chat"], "The recipe gpt2-chat has no section [prefer], so there is nothing to learn from"),
        (["--recipe", "starter"], "The recipe starter trains a model from scratch, and votes are on one that is"),
        (["--share", "90%"], "'90%' is no share of the people; give one from 1% to 50%, such as 20%."),
        (["--share", "many"], "'many' is no share of the people"),
        (["--set", "prefer.epoch=1"], "prefer.epoch is not a key"),
        (["--out", "config.toml"], "is there and holds no turn of the loop"),
    ],
)
def test_wrong_input_is_one_sentence(
    arguments: list[str], sentence: str, bot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bot)
    with pytest.raises(InputInvalid) as refused:
        CliRunner().invoke(app, ["loop", *arguments], catch_exceptions=False, standalone_mode=False)
    assert sentence in str(refused.value)


@pytest.fixture(scope="module")
def small_turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Ending]]:
    """The whole way on the embedded model with a few votes, which prove nothing: the bot, the turn and its end."""
    place = tmp_path_factory.mktemp("loop")
    (place / "bot").mkdir()
    (place / "bot" / "config.toml").write_text("[inference]\nthreads = 2\n")
    votes(place / "bot", people=30, each=4)
    ending = run_loop(wanted(place / "bot", place / "turn", *SMALL), Report())
    yield place / "bot", place / "turn", ending


def test_votes_that_show_nothing_promote_nothing(small_turn: tuple[Path, Path, Ending]) -> None:
    bot, out, ending = small_turn
    assert ending in (Ending.REFUSED, Ending.TOO_FEW)
    done: Done | None = open_turn(out).done(Step.GATE)
    assert done and done.said.startswith("The gate says ")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "KTO" in page and "data:image/png;base64," in page and "add, canary" in page
    assert BotCommands(bot).run("model", "status")["canary"] is None


def test_a_model_of_the_loop_chooses_among_its_quotes_as_the_served_one_does(
    small_turn: tuple[Path, Path, Ending],
) -> None:
    _, out, _ = small_turn
    manifest = json.loads((out / "run" / "model" / "manifest.json").read_text())
    assert manifest["judge"]["sha256"] == sha256(out / "run" / "model" / "judge.npz")


def test_a_turn_that_a_version_without_the_judge_gated_trains_one_and_is_gated_again(
    small_turn: tuple[Path, Path, Ending],
) -> None:
    bot, out, ending = small_turn
    model, cut = out / "run" / "model", open_turn(out)
    manifest = json.loads((model / "manifest.json").read_text())
    del manifest["judge"]
    (model / "manifest.json").write_text(json.dumps(manifest))
    (model / "judge.npz").unlink()
    shutil.rmtree(out / "run" / "judge")
    (out / "gate" / "gate.json").unlink()
    cut.ending, cut.said = Ending.OPEN, ""
    cut.save()
    assert run_loop(wanted(bot, out, *SMALL), Report()) is ending
    assert json.loads((model / "manifest.json").read_text())["judge"]["sha256"] == sha256(model / "judge.npz")
    assert (out / "gate" / "gate.json").is_file()


def test_the_same_votes_are_not_learned_twice(small_turn: tuple[Path, Path, Ending]) -> None:
    bot, out, _ = small_turn
    again = out.parent / "again"
    assert run_loop(wanted(bot, again, *SMALL), Report()) is Ending.TOO_FEW
    assert open_turn(again).said.startswith("Nobody has said anything new since the turn of ")


def test_after_forgetting_lineage_names_the_run_and_the_model(small_turn: tuple[Path, Path, Ending]) -> None:
    bot, out, _ = small_turn
    commands = BotCommands(bot)
    commands.run("model", "add", str(out / "run" / "model"), "--name", "learned")
    forget(bot, reader(0))
    named = {each["folder"]: each for each in commands.run("data", "lineage", "--runs", str(out))}
    found = named[str(out.resolve() / "export")]
    assert found["models"] == ["learned"] and str(out / "run") in found["runs"]
