"""What a keyword may be and what counts as a quote: rules over text alone."""

from __future__ import annotations

import re
import unicodedata

from bot.chat.messages import Style
from bot.errors import InputError

# One or two closed sentences, whatever the model. A sentence begins with a letter, a digit or an apostrophe, is long
# enough to say something and short enough to be posted, and holds none of the characters of a prompt's form or of
# markup. The full stops of other scripts close a sentence too; scripts without spaces say as much in fewer characters.
# A full stop inside a number or behind a title closes nothing.
_QUOTE_RULES = (
    r"""
sentence ::= title? first part{10,%d} end
part     ::= rest | "." [0-9] | " " title
title    ::= ("Mr" | "Mrs" | "Ms" | "Dr" | "St" | "Prof") ". "
wide     ::= han{6,%d} [。！？…]
open     ::= ["“«„「]
close    ::= ["”»“」]
first    ::= [^\x00-\x26\x28-\x2F\x3A-\x40\x5B-\x60\x7B-\xA0\xA2-\xBE\u2000-\u206F\u3000-\u303F\uFF00-\uFF0F]
rest     ::= [^\x00-\x1F!"#*.<>?@\[\\\]^_`{|}~\x7F-\x9F\u061F\u06D4\u0964\u0965\u2026\u3002\uFF01\uFF1F\u200B"""
    r"""\u200E\u200F\u2028-\u202E\u2066-\u2069“”„‟«»‹›「」『』]
han      ::= [\u3041-\u30FF\u3400-\u9FFF、，；：]
end      ::= "..." | [!?]{1,3} | [.…。！？؟۔।॥]
"""
)

_ROOTS = {
    None: '(sentence (" " sentence)? | wide wide?)',
    Style.SHORT: "(sentence | wide)",
    Style.LONG: '(sentence " " sentence | wide wide)',
}
_LONGEST, _LONGEST_WIDE = 170, 80  # characters of a sentence
_SHORT, _SHORT_WIDE = 70, 24

_WIDE_MARKS = '"“”„‟«»‹›「」『』'
_SINGLE_MARKS = "'‘’"
_SPACES = " \t\n\r\u00a0\u2009\u202f\u3000"
_MARK_FAMILIES = ('"', "“”„‟", "«»", "‹›", "「」", "『』")  # within one, either may open: „so“, “so”, «so», »so«
_ELISIONS = "tis|twas|twere|twill|til|em|cause|round|neath|gainst|n"
_BEFORE = re.compile(rf"(?:[{_SPACES}{_WIDE_MARKS}]|[{_SINGLE_MARKS}](?!(?:{_ELISIONS})\b))*", re.IGNORECASE)

_SENTENCE_END = re.compile(rf"(?:[.!?…؟۔]+[{_WIDE_MARKS}{_SINGLE_MARKS})]*(?=\s|$)|[。！？।॥]+[{_WIDE_MARKS})]*)")
_ABBREVIATIONS = {"mr", "mrs", "ms", "mme", "dr", "prof", "st", "rev", "gen", "capt", "lt", "sgt", "mt", "vs"}
_ABBREVIATIONS |= {"e.g", "i.e", "z.b", "d.h", "bzw"}
# Of the prompt: a model may write a label against the word before, or the end of another word against "Keyword".
_FORM = re.compile(r"(keyword|quote)\s*:|\bkeyword(?!(s|ed|ing)?\b)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
# Not the joiners of words and emoji.
_UNSEEN = re.compile(r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_MIN_WORDS = 3
_MIN_LETTERS = 8
_MIN_WIDE_LETTERS = 6  # alone enough: in scripts that put no spaces between words


def quote_grammar(style: Style | None = None) -> str:
    """The rules of a quote in GBNF: a short one is one short sentence, a long one two, and any other one or two."""
    longest, wide = (_SHORT, _SHORT_WIDE) if style is Style.SHORT else (_LONGEST, _LONGEST_WIDE)
    root = f'root     ::= " "? open? {_ROOTS.get(style, _ROOTS[None])} close?\n'
    return root + _QUOTE_RULES % (longest, wide)


def normalise_keyword(text: str, max_chars: int) -> str:
    """The keyword in one line, without control characters, characters that nobody sees, and the marks around it.

    Raises InputError when nothing is left that means something, or more than `max_chars` characters are.
    """
    seen = _UNSEEN.sub("", text)
    visible = "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") else char for char in seen)
    keyword = _without_typed_marks(" ".join(unicodedata.normalize("NFC", visible).split()))
    if not any(_means_something(char) for char in keyword):
        raise InputError("A quote needs a keyword, for example: /quote courage", "keyword-empty")
    if len(keyword) > max_chars:
        raise InputError(
            f"A keyword may have at most {max_chars} characters; this one has {len(keyword)}.",
            "keyword-too-long",
            most=max_chars,
            found=len(keyword),
        )
    return keyword


def _means_something(char: str) -> bool:
    """Letters, digits, signs and emoji do; punctuation, spaces and what only changes other characters do not."""
    category = unicodedata.category(char)
    return category[0] not in "PZ" and category not in ("Cf", "Mn")


def _without_typed_marks(keyword: str) -> str:
    """People type "courage" and #courage; marks inside, and an apostrophe at one end only, belong to the keyword."""
    while True:
        bare = keyword.lstrip("#＃ ")
        inner = bare.strip(_WIDE_MARKS + " ")
        if not any(mark in inner for mark in _WIDE_MARKS):
            bare = inner
        if bare[:1] in _SINGLE_MARKS and bare[-1:] in _SINGLE_MARKS:
            bare = bare.strip(_SINGLE_MARKS + " ")
        if bare == keyword:
            return bare
        keyword = bare


def visible_beginning(text: str) -> str:
    """What of a quote that is still being written may be shown: no outer spaces and no quotation marks around it."""
    begun = _BEFORE.match(text)
    return text[begun.end() if begun else 0 :].rstrip(_SPACES + _WIDE_MARKS + _SINGLE_MARKS)


def finished_quote(text: str) -> str | None:
    """The quote as it is given to a person, or None when the text is not one or two closed sentences.

    A text that was cut off loses its unfinished sentence. A quotation inside is left whole.
    """
    quote = _without_outer_marks(text)
    ends = _sentence_ends(quote)
    quote = _without_outer_marks(quote[: ends[-1]]) if ends else ""
    if not quote or len(ends) > 2 or _CONTROL.search(quote) or _FORM.search(quote) or not _marks_match(quote):
        return None
    return quote if _says_something(quote) else None


def _sentence_ends(quote: str) -> list[int]:
    return [m.end() for m in _SENTENCE_END.finditer(quote) if not _goes_on(quote[: m.start()], m[0], quote[m.end() :])]


def _goes_on(before: str, mark: str, after: str) -> bool:
    """The mark closes no sentence: it belongs to an abbreviation, or to a pause or quotation inside a sentence."""
    if mark == ".":
        word = before.split()[-1].lstrip(_WIDE_MARKS + _SINGLE_MARKS + "(") if before.split() else ""
        initial = len(word) == 1 and word.isupper() and word != "I" and bool(after)
        return initial or word.lower() in _ABBREVIATIONS
    is_pause_or_quotation = mark[-1] in "…" + _WIDE_MARKS + _SINGLE_MARKS or mark.endswith("..")
    return is_pause_or_quotation and after.lstrip()[:1].islower()


def _without_outer_marks(text: str) -> str:
    """The visible beginning, and the mark behind it where that closes a quotation inside."""
    quote = visible_beginning(text)
    behind = text[text.rfind(quote) + len(quote) :][:1]
    return quote + behind if not _marks_match(quote) and _marks_match(quote + behind) else quote


def _marks_match(quote: str) -> bool:
    return all(sum(map(quote.count, family)) % 2 == 0 for family in _MARK_FAMILIES)


def _says_something(quote: str) -> bool:
    letters = [char for char in quote if unicodedata.category(char).startswith(("L", "M"))]
    wide = sum(ord(char) > 0x0E00 for char in letters)
    return wide >= _MIN_WIDE_LETTERS or (len(letters) >= _MIN_LETTERS and len(quote.split()) >= _MIN_WORDS)


def same_text_key(text: str) -> str:
    """Texts with the same key say the same: letters and digits alone count, without accents and in lower case.

    The key of a beginning is a beginning of the key, whatever comes behind: an accent may still follow its letter.
    """
    return "".join(char for char in unicodedata.normalize("NFKD", text).casefold() if char.isalnum())


def words_of(text: str) -> list[str]:
    """The words of a text in their order, in lower case; what stands behind an apostrophe belongs to its word."""
    return _WORD.findall(text.casefold())
