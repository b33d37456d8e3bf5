"""Checks what a person types in a review by the rules that the folder was curated with; loads them when first asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

from model_pipeline.curation.settings import Curate
from model_pipeline.data.curated_manifest import read_manifest
from model_pipeline.data.sources import read_lines


def checked_by(folder: Path) -> Callable[[str], str]:
    """What says why a text must not be learned; "" where it may be."""

    @cache
    def rules() -> Callable[[str], str]:
        return _rules(Curate.model_validate(read_manifest(folder)["settings"]))

    return lambda text: rules()(text)


def _rules(settings: Curate) -> Callable[[str], str]:
    from model_pipeline.curation.language import Languages  # late: they load presidio and scikit-learn, for seconds
    from model_pipeline.curation.offence import Offence
    from model_pipeline.curation.personal_data import PersonalData
    from model_pipeline.curation.quality import Quality

    personal = PersonalData(read_lines(settings.names_file))
    offence, languages = Offence(settings.offensive_from), Languages(settings.languages, settings.language_certainty)
    quality = Quality(settings, offence.is_offensive, languages.is_unwanted)
    return lambda text: quality.why_not_text(personal.clean(text).text)
