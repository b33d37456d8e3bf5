"""Keywords as people type them, and what counts as a quote, whatever a model writes."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.chat.quotes import finished_quote, normalise_keyword, same_text_key, visible_beginning
from bot.errors import InputError

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)  # lone surrogates too
TYPED = ANY_TEXT | st.text("ab#\"“”'’ \n\u200b\u200dé\u0301🙂日", max_size=12)

# -- keywords ---------------------------------------------------------------------------------------------------------


def keyword_of(text: str) -> str | None:
    try:
        return normalise_keyword(text, 80)
    except InputError:
        return None


@given(TYPED)
def test_a_keyword_is_one_clean_line_and_stays_what_it_is(text: str) -> None:
    keyword = keyword_of(text)
    assume(keyword is not None)
    assert keyword is not None
    assert 1 <= len(keyword) <= 80
    assert keyword == " ".join(keyword.split())
    assert len(keyword.splitlines()) == 1
    assert not any(unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") for char in keyword)
    assert unicodedata.is_normalized("NFC", keyword)
    assert keyword.encode()
    assert keyword_of(keyword) == keyword


@given(
    TYPED, st.sampled_from(["{}", '"{}"', "“{}”", "„{}“", "«{}»", "'{}'", "‘{}’", "#{}", '  "{}"\n', '#"{}"', '"#{}"'])
)
def test_marks_around_a_keyword_change_nothing(text: str, marks: str) -> None:
    keyword = keyword_of(text)
    assume(keyword is not None and not set(keyword) & set("\"“”„‟«»‹›「」『』'‘’"))
    assert keyword_of(marks.format(keyword)) == keyword


@pytest.mark.parametrize(
    ("typed", "keyword"),
    [
        ("courage", "courage"),
        ("  old \t friends \r\n", "old friends"),
        ("Мужество", "Мужество"),
        ("勇気", "勇気"),
        ("شجاعة", "شجاعة"),
        ("साहस", "साहस"),
        ("cafe\u0301", "café"),
        ("🙂", "🙂"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("co\u200bur\u00adage", "courage"),
        ("cou\0rage\x1b[31m", "cou rage [31m"),
        ("a\u2028b\u2029c\u0085d", "a b c d"),
        ("x\nQuote: hi", "x Quote: hi"),
        ('"courage', "courage"),
        ("##courage", "courage"),
        ("＃勇気", "勇気"),
        ("# courage", "courage"),
        ("C#", "C#"),
        ("'tis", "'tis"),
        ("ol'", "ol'"),
        ("don't", "don't"),
        ('"love" and "hate"', '"love" and "hate"'),
        ('the "best" day', 'the "best" day'),
        ("C++", "C++"),
        ("$", "$"),
        ("<3", "<3"),
        ("♥", "♥"),
    ],
)
def test_keywords_as_people_type_them(typed: str, keyword: str) -> None:
    assert normalise_keyword(typed, 80) == keyword


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "\n\t",
        "\0",
        "\u200b\u200e",
        "\u200d",
        "\u0301",
        '"',
        '""',
        "“”",
        "''",
        "'",
        "#",
        "##",
        '#"" #',
        "!?",
        "???",
        "… ?!",
        "：）",
        "\ud800",
    ],
)
def test_nothing_is_no_keyword(typed: str) -> None:
    with pytest.raises(InputError, match=r"^A quote needs a keyword, for example: /quote courage$"):
        normalise_keyword(typed, 80)


def test_nonsense_of_300_characters_is_too_long() -> None:
    with pytest.raises(InputError, match=r"^A keyword may have at most 80 characters; this one has 300\.$"):
        normalise_keyword("qzx" * 100, 80)
    assert normalise_keyword("q" * 80, 80) == "q" * 80


# -- quotes -----------------------------------------------------------------------------------------------------------

# Pieces of which models make quotes and everything else.
WORDS = ["The sea ", "is wide", "I know that ", "you", "and ", "Mr. ", "e.g. ", "3.5 ", "'tis ", "海は広いな大きいな"]
SIGNS = [". ", ".", "! ", "?", "... ", "…", "。", "！", " ", "\n", '"', "“", "”", "«", "»", "「", "」", "'", "’"]
PARTS = st.sampled_from([*WORDS, *SIGNS, "Quote:", " Keyword: "])
SNIPPETS = st.lists(PARTS, max_size=4).map("".join)
LIKELY = st.builds("{}I know that the sea{} is wide{}.{}".format, SNIPPETS, SNIPPETS, SNIPPETS, SNIPPETS)
WRITTEN = LIKELY | st.lists(PARTS, max_size=14).map("".join) | ANY_TEXT
MARKS = '"“”„‟«»‹›「」『』'
CLOSING = ".!?…。！？؟۔।॥"


@given(LIKELY)
def test_a_quote_is_closed_and_clean_and_has_nothing_of_the_prompts_form(text: str) -> None:
    quote = finished_quote(text)
    assume(quote is not None)
    assert quote is not None
    assert quote.rstrip(MARKS + "'‘’)")[-1] in CLOSING
    assert quote == quote.strip()
    assert len(quote.splitlines()) == 1
    assert not re.search(r"\b(keyword|quote)\s*:", quote, re.IGNORECASE)
    assert quote.count('"') % 2 == 0
    assert quote in text


@given(WRITTEN)
def test_a_finished_quote_is_finished(text: str) -> None:
    quote = finished_quote(text)
    assert quote is None or finished_quote(quote) == quote


@given(WRITTEN, st.integers(0, 40))
def test_what_may_be_shown_of_a_beginning_is_a_beginning_of_what_is_shown_later(text: str, length: int) -> None:
    early, late = visible_beginning(text[:length]), visible_beginning(text)
    assert early in text
    assert early == early.strip(" \n" + MARKS)
    # Whether an apostrophe stands for a letter, as in 'tis, shows only when the word is there.
    assert late.startswith(early) or late[:1] in "'’‘"


@given(WRITTEN)
def test_a_quote_is_what_was_visible_of_it_and_at_most_one_closing_mark(text: str) -> None:
    quote, visible = finished_quote(text), visible_beginning(text)
    if quote is not None:
        assert visible.startswith(quote) or (quote.startswith(visible) and quote[len(visible) :] in MARKS + "'’‘")


SENTENCES = st.lists(
    st.sampled_from(["the", "sea", "is", "wide", "and", "cold", "for", "me"]), min_size=4, max_size=9
).map(lambda words: " ".join(words).capitalize())


@given(st.lists(st.tuples(SENTENCES, st.sampled_from([".", "!", "?", "...", "…", "?!"])), min_size=1, max_size=4))
def test_one_or_two_sentences_are_a_quote_and_more_are_none(sentences: list[tuple[str, str]]) -> None:
    text = " ".join(sentence + end for sentence, end in sentences)
    assert finished_quote(text) == (text if len(sentences) <= 2 else None)
    assert finished_quote(f' "{text}" ') == (text if len(sentences) <= 2 else None)


@given(SENTENCES, SENTENCES)
def test_a_sentence_that_was_cut_off_is_left_out(whole: str, cut: str) -> None:
    assert finished_quote(f"{whole}. {cut}") == f"{whole}."
    assert finished_quote(cut) is None


@given(SENTENCES, st.sampled_from(["Quote: hi.", "Keyword: sea", "quote : x.", "\nIt is.", "\x07It is."]))
def test_the_prompts_form_and_control_characters_never_come_through(sentence: str, tail: str) -> None:
    quote = finished_quote(f"{sentence} {tail}")
    assert quote is None
    assert finished_quote(f"{sentence}.") == f"{sentence}."


@pytest.mark.parametrize(
    ("written", "quote"),
    [
        (" Mr. Brown knows the sea.", "Mr. Brown knows the sea."),
        ("It costs 3.5 times as much.", "It costs 3.5 times as much."),
        ("She said 'no!' and went home.", "She said 'no!' and went home."),
        ("Wait... for the tide.", "Wait... for the tide."),
        ("J. Smith was here with me. It rained.", "J. Smith was here with me. It rained."),
        ("So do I. You know that well.", "So do I. You know that well."),
        ("“The sea is wide.”", "The sea is wide."),
        ("He said “the sea is wide.”", "He said “the sea is wide.”"),
        ("'Tis the sea that calls.", "'Tis the sea that calls."),
        ("海は広いな大きいな。", "海は広いな大きいな。"),
        ("「海は広いな大きいな。」", "海は広いな大きいな。"),
        ("海は広いな大きいな。月が昇るし日が沈む！", "海は広いな大きいな。月が昇るし日が沈む！"),
        ("海は広いな大きいな。月が昇るし日が沈む！海は青い？", None),
        ("Море широко и глубоко.", "Море широко и глубоко."),
        ("समुद्र बहुत चौड़ा है।", "समुद्र बहुत चौड़ा है।"),
        ("Yes.", None),
        ("No no.", None),
        ("....", None),
        ("", None),
        ("One is a start. Two is a pair. Three is a crowd.", None),
        ("He said “the sea is wide. And cold.", None),
        ("The sea is wide", None),
        ("海。", None),
    ],
)
def test_what_counts_as_a_quote(written: str, quote: str | None) -> None:
    assert finished_quote(written) == quote


# -- repetition -------------------------------------------------------------------------------------------------------


@given(ANY_TEXT, st.integers(0, 40))
def test_the_key_of_a_beginning_is_a_beginning_of_the_key(text: str, length: int) -> None:
    assert same_text_key(text).startswith(same_text_key(text[:length]))


def test_the_prompts_form_is_found_against_a_word_too() -> None:
    assert finished_quote("The kettle has a ngQuote: no hat and no spoon.") is None
    assert finished_quote("Keywordorrow is a road that nobody has walked.") is None


@pytest.mark.parametrize("word", ["Keyword", "Keywords", "Keyword's sense", "Keyword-heavy prose", "Keywording"])
def test_a_quote_may_be_about_keywords(word: str) -> None:
    assert finished_quote(f"{word} opens no door, said the quoteworthy key.") is not None
