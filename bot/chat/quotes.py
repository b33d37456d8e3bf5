"""What a keyword may be and what counts as a quote: rules over text alone."""

from __future__ import annotations

import re
import unicodedata

from bot.errors import InputError

# One or two closed sentences, whatever the model. A sentence begins with a letter, a digit or an apostrophe, is long
# enough to say something and short enough to be posted, and holds none of the characters of a prompt's form or of
# markup. The full stops of other scripts close a sentence too.
QUOTE_GRAMMAR = r"""
root     ::= " "? open? sentence (" " sentence)? close?
sentence ::= first rest{10,170} end
open     ::= ["“]
close    ::= ["”]
first    ::= [^\x00-\x26\x28-\x2F\x3A-\x40\x5B-\x60\x7B-\xBF\u2000-\u206F\u3000-\u303F\uFF00-\uFF0F]
rest     ::= [^\x00-\x1F!"#*.<>?@\[\\\]\^_`{|}~\x7F-\x9F\u0964\u061F\u2026\u3002\uFF01\uFF1F\u200B-\u200F\u2028-\u202E“”]
end      ::= [.!?…。！？؟।]
"""

_CLOSED = re.compile(r"[.!?…。！？؟।]$")
_SENTENCE_END = re.compile(r"[.!?…。！？؟।]+(?=\s|$)|[。！？।]")
_FORM = re.compile(r"\b(keyword|quote)\s*:", re.IGNORECASE)
_QUOTE_MARKS = "\"“”'"
_MIN_WORDS = 3
_MIN_LETTERS = 8  # for scripts that put no spaces between words


def normalise_keyword(text: str, max_chars: int) -> str:
    """The keyword in one line, without control characters and outer spaces.

    Raises InputError when nothing is left, or more than `max_chars` characters are.
    """
    visible = "".join(" " if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") else char for char in text)
    keyword = " ".join(unicodedata.normalize("NFC", visible).split())
    if not any(unicodedata.category(char) not in ("Cf", "Mn") for char in keyword.replace(" ", "")):
        raise InputError("A quote needs a keyword, for example: /quote courage")
    if len(keyword) > max_chars:
        raise InputError(f"A keyword may have at most {max_chars} characters; this one has {len(keyword)}.")
    return keyword


def visible_beginning(text: str) -> str:
    """What of a quote that is still being written may be shown: no outer spaces and no quotation marks around it."""
    return text.lstrip(' \n\t"“').rstrip(' \n\t"”')


def finished_quote(text: str) -> str | None:
    """The quote as it is given to a person, or None when the text is not one or two closed sentences.

    A text that was cut off loses its unfinished sentence.
    """
    quote = visible_beginning(text)
    if not _CLOSED.search(quote):
        ends = [match.end() for match in _SENTENCE_END.finditer(quote)]
        quote = quote[: ends[-1]] if ends else ""
    if not quote or "\n" in quote or _FORM.search(quote) or len(_SENTENCE_END.findall(quote)) > 2:
        return None
    return quote if _says_something(quote) else None


def _says_something(quote: str) -> bool:
    letters = [char for char in quote if unicodedata.category(char).startswith(("L", "M"))]
    spaceless = sum(ord(char) > 0x0E00 for char in letters)
    return len(letters) >= _MIN_LETTERS and (len(quote.split()) >= _MIN_WORDS or spaceless >= _MIN_LETTERS)


def same_text_key(text: str) -> str:
    """Texts with the same key say the same: letters and digits alone count, in lower case."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).casefold() if char.isalnum())
