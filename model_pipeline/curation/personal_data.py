"""Finds personal data in a text and puts their kind in their place; knows no row, and asks no network and no model.

The names of people are found only where they are listed: a language model that guesses them takes half the poets too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from model_pipeline.curation.patterns import read_patterns

NAME = "NAME"
_LANGUAGE = "en"  # presidio wants one; no pattern depends on it
_SCORE = 0.6
_LEAST_SCORE = 0.35  # presidio's own for what a checksum does not confirm is 0.3
_PASSES = 3  # what is replaced may uncover what stood beside it
_REMEMBERED = 20_000  # texts: the turns of a chat come again in every later row
# The countries whose national numbers are known; international ones are, whatever their country.
_REGIONS = (
    "US GB IE CA AU NZ ZA IN PK NG KE DE AT CH FR BE NL LU ES PT IT GR PL CZ SK HU RO BG SE NO DK FI EE LV LT UA RU TR "
    "IL AE SA EG MX BR AR CL CO PE JP KR CN HK TW SG MY PH ID TH VN"
)
_DIGITS_OF_A_PHONE, _DIGITS_WITHOUT_PREFIX, _GROUPS_OF_A_PHONE = 7, 9, 6
_DATE_OR_DECIMAL = re.compile(r"\d{4}([-./])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2\d{2,4}|\d+[.,]\d+")
_PHONES = "PHONE_NUMBER"
_PRESIDIO_NAMES = {
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "MAC_ADDRESS": "IP",
    "CRYPTO": "WALLET",
    "US_SSN": "ID",
    "UUID": "ID",
    _PHONES: "PHONE",
}
_PLACEHOLDER = re.compile(r"<(?:EMAIL|PHONE|URL|LINK|ID|TOKEN|HANDLE|NAME|WALLET|CARD|IBAN|IP)>")
_INVISIBLE = re.compile("[\u00ad\u180e\u200b\u2060-\u2064\ufeff]")  # not the joiners of words and emoji


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text without personal data, and the kinds of what was in it, such as EMAIL."""

    text: str
    found: frozenset[str] = frozenset()


class PersonalData:
    """The filter, with names that are always taken out; making it loads presidio, some seconds."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        from presidio_anonymizer import AnonymizerEngine  # late: it loads spaCy

        self._analyzer, self._anonymizer = _analyzer(names), AnonymizerEngine()
        entities = self._analyzer.get_supported_entities(_LANGUAGE)
        self._without_phones = [entity for entity in entities if entity != _PHONES]
        self._operators = _operators(entities)
        self.clean = lru_cache(_REMEMBERED)(self._clean)

    def _clean(self, text: str) -> Cleaned:
        """The text with `<EMAIL>` and the like in it; exactly as it was where nothing is found.

        What is hidden behind full-width digits or invisible characters is found too, and the text is then without them.
        """
        found: frozenset[str] = frozenset()
        for _ in range(_PASSES):
            plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
            hits = [(candidate, self._find(candidate)) for candidate in dict.fromkeys((plain, text))]
            candidate, results = next((hit for hit in hits if hit[1]), (text, []))
            if not results:
                break
            text = self._anonymizer.anonymize(candidate, results, self._operators).text
            found |= {_shown(result.entity_type) for result in results}
        return Cleaned(text, found)

    def _find(self, text: str) -> list[Any]:
        """What presidio finds; the slow search for the phone numbers of many countries only where one may be."""
        if sum(character.isdigit() for character in text) >= _DIGITS_OF_A_PHONE:
            results = self._analyzer.analyze(text, _LANGUAGE)
            return [one for one in results if one.entity_type != _PHONES or may_be_phone(text[one.start : one.end])]
        return list(self._analyzer.analyze(text, _LANGUAGE, entities=self._without_phones))


def may_be_phone(text: str) -> bool:
    """Whether digits that are a phone number somewhere in the world are one here, and no date, sum or list of years."""
    groups = re.findall(r"\d+", text)
    digits = sum(map(len, groups))
    if digits < _DIGITS_OF_A_PHONE or len(groups) > _GROUPS_OF_A_PHONE or _DATE_OR_DECIMAL.fullmatch(text):
        return False
    if len(groups) > 1 and all(len(group) == 4 and group[0] in "12" for group in groups):
        return False
    if text[0] in "+0(":
        return True
    counted = all(len(group) == 2 for group in groups) or groups[-2:] == ["000", "000"]
    return digits >= _DIGITS_WITHOUT_PREFIX and not counted


def letters_left(text: str) -> int:
    """The letters and digits of a text beside what stands for personal data."""
    return sum(character.isalnum() for character in _PLACEHOLDER.sub("", text))


def holds_placeholder(text: str) -> bool:
    """Whether personal data were taken out of a text, or it looks so."""
    return bool(_PLACEHOLDER.search(text))


def _analyzer(names: Sequence[str]) -> Any:
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer import predefined_recognizers as theirs
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    engine = NoOpNlpEngine([{"lang_code": _LANGUAGE, "model_name": ""}])
    engine.load()
    registry = RecognizerRegistry(supported_languages=[_LANGUAGE])
    registry.add_recognizer(theirs.PhoneRecognizer(supported_regions=_REGIONS.split()))
    for recognizer in (
        theirs.CreditCardRecognizer,
        theirs.IbanRecognizer,
        theirs.IpRecognizer,
        theirs.MacAddressRecognizer,
        theirs.CryptoRecognizer,
        theirs.UsSsnRecognizer,
        theirs.UuidRecognizer,
    ):
        registry.add_recognizer(recognizer())
    for recognizer in _our_recognizers(names):
        registry.add_recognizer(recognizer)
    return AnalyzerEngine(
        registry=registry, nlp_engine=engine, supported_languages=[_LANGUAGE], default_score_threshold=_LEAST_SCORE
    )


def _our_recognizers(names: Sequence[str]) -> Iterator[Any]:
    from presidio_analyzer import Pattern, PatternRecognizer

    known = read_patterns()
    for case, flags in (("exact", re.MULTILINE), ("any_case", re.MULTILINE | re.IGNORECASE)):
        for kind, regexes in known[case].items():
            parts = [Pattern(f"{kind} {place}", regex, _SCORE) for place, regex in enumerate(regexes)]
            yield PatternRecognizer(kind, patterns=parts, global_regex_flags=flags)
    if listed := sorted({name.strip() for name in names if name.strip()}, key=len, reverse=True):
        yield PatternRecognizer(NAME, deny_list=listed)


def _operators(entities: Iterable[str]) -> dict[str, Any]:
    from presidio_anonymizer.entities import OperatorConfig

    return {entity: OperatorConfig("replace", {"new_value": f"<{_shown(entity)}>"}) for entity in entities}


def _shown(entity: str) -> str:
    return _PRESIDIO_NAMES.get(entity, entity)
