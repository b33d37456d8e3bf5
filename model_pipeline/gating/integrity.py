"""Whether the files are those that are to be compared, and learned from those votes; measures no model."""

from __future__ import annotations

from model_pipeline.evaluation.figures import Better, FigureText
from model_pipeline.gating.candidates import Candidate
from model_pipeline.gating.curated import CuratedVotes
from model_pipeline.gating.verdicts import Judged, none_wrong

FILES = FigureText("files", "Files", "The files of both models are those that their manifests name.", Better.LOWER, 0)
DIFFERENT = FigureText("different", "Another model", "The new GGUF is another file than the old one.", Better.LOWER, 0)
LINEAGE = FigureText(
    "lineage",
    "Lineage",
    "The new model's lineage names the export whose votes were curated, so that the held-out votes are its own.",
    Better.LOWER,
    0,
)


def integrity(old: Candidate, new: Candidate, curated: CuratedVotes) -> list[Judged]:
    """What must hold before anything is measured."""
    wrong = [*old.wrong_files(), *new.wrong_files()]
    same = [f"{new.name} and {old.name} are the same file"] if new.sha256 and new.sha256 == old.sha256 else []
    missing = [] if new.learned_from(curated.export) else [f"{new.name} does not name the export {curated.export}"]
    files = sum(2 if candidate.manifest.get("judge") else 1 for candidate in (old, new))
    return [none_wrong(FILES, files, wrong), none_wrong(DIFFERENT, 1, same), none_wrong(LINEAGE, 1, missing)]
