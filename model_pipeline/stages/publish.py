"""The stage publish: what of a run goes into which repository of a model hub, and its cards.

Only what is named here leaves the machine: no checkpoint, no optimizer state, no reference adapter, no path of this
disk, and nothing that people wrote to a bot, whose consent is for training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from model_pipeline.errors import InputInvalid
from model_pipeline.publishing.cards import dataset_card, front_matter, model_card
from model_pipeline.publishing.facts import ADAPTER_GGUF, SPLITS, Facts, Kind, base_on_hub
from model_pipeline.publishing.hub import Hub, publish_repositories
from model_pipeline.publishing.repositories import Repository, RepositoryFile, check_repositories
from model_pipeline.recipe import Form, Recipe
from model_pipeline.report import Report
from model_pipeline.runs import Run, Stage
from model_pipeline.training.failures import MORE_MEMORY, told_in_a_sentence

README = "README.md"
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "chat_template.*")
ADAPTER = ("adapter_config.json", "adapter_model.safetensors", *TOKENIZER)
MERGED = ("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json", *TOKENIZER)
REPORT = ("eval_results.csv", "results.json")  # sums over rows
EXAMPLES = ("report.md", "plots/*.png")  # the report shows rows


@told_in_a_sentence(None, MORE_MEMORY)
def publish(run: Run, report: Report, dry_run: bool, endpoint: str | None = None, token: str | None = None) -> None:
    """Publish what `recipe.publish` names, or only show it. Raises `PipelineError`."""
    began = datetime.now(UTC)
    planned = _plan(run)
    repositories = list(planned.values())
    check_repositories(repositories)
    if dry_run:
        _show(planned, report)
        return
    folder, settings = run.begin(Stage.PUBLISH), run.recipe.publish
    message = f"{run.recipe.name}, run {run.folder.resolve().name}{' (smoke run)' if run.recipe.smoke else ''}"
    commits = publish_repositories(repositories, message, Hub(endpoint, token), report, private=settings.private)
    published = []
    for (kind, repository), commit in zip(planned.items(), commits, strict=True):
        (folder / f"{kind}-{README}").write_text(_card_of(repository), encoding="utf-8")
        files = {file.path: file.size_bytes for file in repository.files}
        described = {"holds": kind, "name": repository.name, "type": repository.type, "commit": commit}
        published.append(described | {"asked_private": settings.private, "files": files})
    run.finish(Stage.PUBLISH, began, {"repositories": published})


def _plan(run: Run) -> dict[Kind, Repository]:
    """Every repository that the recipe names, with its files. Raises `InputInvalid`."""
    names = run.recipe.publish.model_dump()
    named = [kind for kind in Kind if names[kind]]
    if not named:
        settings = ", ".join(f"--set publish.{kind}=OWNER/NAME" for kind in Kind)
        raise InputInvalid(f"The recipe names no repository to publish; give one or more of {settings}.")
    if names[Kind.ADAPTER] and run.recipe.why_no_adapter:
        raise InputInvalid(run.recipe.why_no_adapter)
    facts = _facts(run)
    makers: dict[Kind, Callable[[Run, Facts], Repository]] = {
        Kind.DATASET: _dataset,
        Kind.ADAPTER: _adapter,
        Kind.MERGED: _merged,
        Kind.GGUF: _gguf,
    }
    return {kind: makers[kind](run, facts) for kind in named}


def _facts(run: Run) -> Facts:
    finished = [stage for stage in Stage if stage is not Stage.PUBLISH and run.is_finished(stage)]
    evaluated, prepared = Stage.EVALUATE in finished, Stage.PREPARE in finished
    served = _json(run, run.model_folder / "manifest.json") if Stage.QUANTIZE in finished else {}
    return Facts(
        recipe=run.recipe,
        manifests={stage: run.manifest(stage) for stage in finished},
        rows={split: _count_lines(_existing(run, _split(run, split))) for split in SPLITS} if prepared else {},
        results=_json(run, run.of(Stage.EVALUATE) / "results.json") if evaluated else {},
        served=_published_manifest(served, run.recipe) if served else {},
    )


def _dataset(run: Run, facts: Facts) -> Repository:
    run.manifest(Stage.PREPARE)
    if _is_of_people(run.recipe):
        raise InputInvalid(
            "The rows hold what people wrote to a bot, and they agreed to training only; leave publish.dataset empty."
        )
    card = dataset_card(facts, _existing(run, run.of(Stage.PREPARE) / "DATASET_CARD.md").read_text(encoding="utf-8"))
    files = [RepositoryFile(f"{split}.jsonl", _split(run, split)) for split in SPLITS]
    return Repository(run.recipe.publish.dataset, "dataset", (RepositoryFile(README, card.encode()), *files))


def _adapter(run: Run, facts: Facts) -> Repository:
    run.manifest(run.trained_last)
    folder, exported = run.of(run.trained_last) / "adapter", run.of(Stage.EXPORT_GGUF) / ADAPTER_GGUF
    files = _chosen(run, folder, ADAPTER, "adapter_model.safetensors")
    if run.is_finished(Stage.EXPORT_GGUF):
        files.append(RepositoryFile(ADAPTER_GGUF, _existing(run, exported)))
    return _model(Kind.ADAPTER, run, facts, files)


def _merged(run: Run, facts: Facts) -> Repository:
    run.manifest(Stage.MERGE)
    return _model(Kind.MERGED, run, facts, _chosen(run, run.of(Stage.MERGE) / "model", MERGED, "config.json"))


def _gguf(run: Run, facts: Facts) -> Repository:
    """The model folder that the bot takes, under names that tell the types, and the other types beside it."""
    run.manifest(Stage.QUANTIZE)
    found = {str(facts.served["file"]): _existing(run, run.model_folder / "model.gguf")}
    for type_name in run.recipe.quantize.type_names:
        name = _gguf_name(run.recipe, type_name)
        if name not in found:
            found[name] = _existing(run, run.of(Stage.QUANTIZE) / name)
    if judge := facts.served.get("judge"):
        found[str(judge["file"])] = _existing(run, run.model_folder / str(judge["file"]))
    manifest = json.dumps(facts.served, ensure_ascii=False, indent=2) + "\n"
    files = [
        RepositoryFile("manifest.json", manifest.encode()),
        RepositoryFile("MODEL_CARD.md", _existing(run, run.model_folder / "MODEL_CARD.md")),
        *(RepositoryFile(name, path) for name, path in found.items()),
    ]
    return _model(Kind.GGUF, run, facts, files)


def _model(kind: Kind, run: Run, facts: Facts, files: list[RepositoryFile]) -> Repository:
    """The repository of a model: its card first, then its files, then the report of the evaluation."""
    files = [*files, *_evaluation(run)]
    card = model_card(kind, facts, [(file.path, file.size_bytes) for file in files])
    names: dict[str, str] = run.recipe.publish.model_dump()
    return Repository(names[kind], "model", (RepositoryFile(README, card.encode()), *files))


def _evaluation(run: Run) -> Iterator[RepositoryFile]:
    if not run.is_finished(Stage.EVALUATE):
        return
    folder = run.of(Stage.EVALUATE)
    for pattern in REPORT if _is_of_people(run.recipe) else (*EXAMPLES, *REPORT):
        for path in sorted(folder.glob(pattern)):
            yield RepositoryFile(f"evaluation/{path.relative_to(folder).as_posix()}", path)


def _chosen(run: Run, folder: Path, patterns: tuple[str, ...], needed: str) -> list[RepositoryFile]:
    """The files at the top of a folder that match, small configurations without paths of this disk."""
    _existing(run, folder / needed)
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    chosen = [path for path in paths if any(fnmatch(path.name, pattern) for pattern in patterns)]
    return [RepositoryFile(path.name, _configured(run, path)) for path in chosen]


def _configured(run: Run, path: Path) -> Path | bytes:
    """The file; of a configuration the content, with the base that the recipe names in place of a folder here."""
    if not path.name.endswith("config.json"):
        return path
    recipe = run.recipe
    content, base = _json(run, path), base_on_hub(recipe) or f"{recipe.name}-base"
    changes = {key: base for key, value in content.items() if key.endswith("name_or_path") and _is_on_disk(value)}
    if path.name == "adapter_config.json":
        changes |= {"base_model_name_or_path": base}
        changes |= {"revision": recipe.base.revision} if base_on_hub(recipe) else {}
    if changes.items() <= content.items():
        return path
    return (json.dumps(content | changes, ensure_ascii=False, indent=2) + "\n").encode()


def _is_on_disk(value: object) -> bool:
    return isinstance(value, str) and bool(value) and (Path(value).is_absolute() or Path(value).exists())


def _published_manifest(served: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The manifest of the model folder, with the name that the GGUF has in the repository."""
    return {**served, "file": _gguf_name(recipe, str(served["quantization"])), "lineage": _bare(served["lineage"])}


def _bare(value: Any) -> Any:
    """Plain data with paths of this disk cut down to their last names."""
    if isinstance(value, dict):
        return {key: _bare(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_bare(inner) for inner in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _gguf_name(recipe: Recipe, type_name: str) -> str:
    return f"{recipe.name}-{type_name}.gguf"


def _is_of_people(recipe: Recipe) -> bool:
    return any(source.form is Form.EXPORT for source in recipe.data.sources)


def _split(run: Run, split: str) -> Path:
    return run.of(Stage.PREPARE) / f"{split}.jsonl"


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for line in file if line.strip())


def _existing(run: Run, path: Path) -> Path:
    if not path.is_file():
        raise InputInvalid(f"{path} is not there, though its stage is finished; {_how_anew(run, path)}.")
    return path


def _json(run: Run, path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(_existing(run, path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise InputInvalid(f"{path} cannot be read as JSON; {_how_anew(run, path)}.") from error


def _how_anew(run: Run, path: Path) -> str:
    place = path.relative_to(run.folder).parts[0]
    return run.how_anew(Stage.QUANTIZE if place == run.model_folder.name else Stage(place))


def _card_of(repository: Repository) -> str:
    return next(str(file.content, "utf-8") for file in repository.files if isinstance(file.content, bytes))


def _show(planned: Mapping[Kind, Repository], report: Report) -> None:
    rows = [
        (repository.name, repository.type, file.path, decimal(file.size_bytes))
        for repository in planned.values()
        for file in repository.files
    ]
    report.table(("repository", "type", "file", "size"), rows)
    for repository in planned.values():
        report.say(f"\nFront matter of {repository.name}:\n{front_matter(_card_of(repository))}")
    report.say("\nNothing was published: this was a dry run.")
