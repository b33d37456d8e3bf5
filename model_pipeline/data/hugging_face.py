"""Reads datasets of the Hub, Parquet files and saved datasets, the only module that imports `datasets`.

It translates the libraries' errors and keeps them from printing; it knows no form.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model_pipeline.errors import InputInvalid
from model_pipeline.library_errors import first_line, transport_error

_NO_RIGHT = (401, 403)
TIMEOUT_S = 10  # for the Hub to say whether a dataset is there


@dataclass(frozen=True, slots=True)
class HubFacts:
    """The commit that a revision stands for, and the licence that the dataset's card names; "" where unknown."""

    revision: str
    license: str


def read_hub(hub: str, config: str, split: str, revision: str) -> list[dict[str, Any]]:
    """The rows of a dataset's split. Raises `InputInvalid`.

    With $HF_HUB_OFFLINE they are those that were downloaded last, of whatever revision.
    """
    facts = hub_facts(hub, revision)  # within seconds, where `load_dataset` would try for half a minute
    with _translated(f"The dataset {hub} cannot be loaded"):
        from datasets import load_dataset

        dataset = load_dataset(hub, config or None, split=split, revision=facts.revision or revision)
        return list(dataset.to_list())


def hub_facts(hub: str, revision: str) -> HubFacts:
    """What the Hub says about a dataset, or nothing with $HF_HUB_OFFLINE. Raises `InputInvalid`."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        found = HfApi().dataset_info(hub, revision=revision, timeout=TIMEOUT_S)
    except OfflineModeIsEnabled:
        return HubFacts("", "")
    except HFValidationError as error:
        raise InputInvalid(f"{hub!r} is no dataset's id; one is written OWNER/NAME.") from error
    except GatedRepoError as error:
        raise InputInvalid(f"The dataset {hub} is gated: accept its terms on the Hub and set HF_TOKEN.") from error
    except RepositoryNotFoundError as error:
        raise _not_found(hub) from error
    except RevisionNotFoundError as error:
        raise InputInvalid(f"The dataset {hub} has no revision {revision!r}.") from error
    except (transport_error(), OSError) as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code in _NO_RIGHT:
            raise _not_found(hub) from error
        raise InputInvalid(
            f"The Hub cannot be asked for the dataset {hub} ({first_line(error)}); try again when it can be reached, "
            "or set HF_HUB_OFFLINE=1 to take what was downloaded before."
        ) from error
    named = getattr(found.card_data, "license", None) or ""
    return HubFacts(found.sha or revision, ", ".join(named) if isinstance(named, list) else str(named))


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file. Raises `InputInvalid`."""
    with _translated(f"{path} is no whole Parquet file; copy or download it again"), TemporaryDirectory() as cache:
        from datasets import Dataset

        return list(Dataset.from_parquet(str(path), cache_dir=cache).to_list())


def read_saved(folder: Path, split: str) -> list[dict[str, Any]]:
    """The rows of a dataset that `save_to_disk` wrote, or of the split of several. Raises `InputInvalid`."""
    with _translated(f"{folder} is no whole saved dataset; save or copy it again"):
        from datasets import DatasetDict, load_from_disk

        found = load_from_disk(str(folder))
        if isinstance(found, DatasetDict):
            if split not in found:
                raise InputInvalid(f"{folder} has no split {split!r}; it has {', '.join(map(str, found))}.")
            found = found[split]
        return list(found.to_list())


def card_license(folder: Path) -> str:
    """The licence that the front matter of a folder's README.md names, or ""."""
    from huggingface_hub import DatasetCard

    try:
        named = DatasetCard.load(folder / "README.md").data.to_dict().get("license") or ""
    except (OSError, ValueError):
        return ""
    return ", ".join(map(str, named)) if isinstance(named, list) else str(named)


@contextmanager
def _translated(sentence: str) -> Iterator[None]:
    """Everything that `datasets` raises becomes one sentence with its reason."""
    import datasets
    from datasets.exceptions import DatasetGenerationError, DatasetsError

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    except (OSError, ValueError, RuntimeError, DatasetsError, transport_error()) as error:
        reason: BaseException = error
        while isinstance(reason, DatasetGenerationError) and reason.__cause__:
            reason = reason.__cause__  # its own text says only that there was an error
        raise InputInvalid(f"{sentence}: {first_line(reason)}.") from error


def _not_found(hub: str) -> InputInvalid:
    return InputInvalid(f"There is no dataset {hub} on the Hub, or HF_TOKEN may not read it.")
