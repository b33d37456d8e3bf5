"""Sealed texts and keys."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DataKeyError
from bot.storage.encryption import SEALED, TextCipher, parse_data_key

KEY, OTHER_KEY, COLUMN = bytes(range(32)), bytes(32), b"messages.text"
STORABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(STORABLE)
def test_every_text_comes_back(text: str) -> None:
    for cipher in (TextCipher(KEY), TextCipher(None)):
        assert cipher.unseal(cipher.seal(text, COLUMN), COLUMN) == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=8))
def test_a_sealed_text_tells_nothing_and_is_never_the_same(text: str) -> None:
    cipher = TextCipher(KEY)
    first, second = cipher.seal(text, COLUMN), cipher.seal(text, COLUMN)
    assert first.startswith(SEALED) and first != second and text not in first


@pytest.mark.parametrize("text", [f"{SEALED}typed by a joker", "raw:typed by a joker", "raw:raw:"])
def test_nobody_can_type_a_sealed_text(text: str) -> None:
    plain = TextCipher(None)
    assert plain.unseal(plain.seal(text, COLUMN), COLUMN) == text
    assert TextCipher(KEY).unseal(plain.seal(text, COLUMN), COLUMN) == text


def test_a_sealed_text_opens_in_its_place_with_its_key_and_unchanged_only() -> None:
    sealed = TextCipher(KEY).seal("a secret", COLUMN)
    changed = sealed[:-8] + ("A" if sealed[-8] != "A" else "B") + sealed[-7:]
    for cipher, stored, column in (
        (TextCipher(OTHER_KEY), sealed, COLUMN),
        (TextCipher(None), sealed, COLUMN),
        (TextCipher(KEY), sealed, b"quote_pool.text"),
        (TextCipher(KEY), changed, COLUMN),
        (TextCipher(KEY), f"{SEALED}no base64!", COLUMN),
    ):
        with pytest.raises(DataKeyError) as error:
            cipher.unseal(stored, column)
        assert "secret" not in str(error.value)


def test_a_digest_is_equal_for_equal_texts_and_tells_nothing_without_the_key() -> None:
    cipher = TextCipher(KEY)
    assert cipher.digest("tea", COLUMN) == cipher.digest("tea", COLUMN)
    others = {cipher.digest("rain", COLUMN), cipher.digest("tea", b"x"), TextCipher(OTHER_KEY).digest("tea", COLUMN)}
    assert cipher.digest("tea", COLUMN) not in others | {TextCipher(None).digest("tea", COLUMN)}


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        f"  {KEY.hex()}\n",
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
    ],
)
def test_a_key_can_be_written_in_several_ways(text: str) -> None:
    assert parse_data_key(text) == KEY


@pytest.mark.parametrize("text", ["", "short", "g" * 64, KEY.hex()[:-1], KEY.hex() + "00", "ключ" * 16])
def test_anything_else_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(DataKeyError, match="32 bytes") as error:
        parse_data_key(text)
    assert not text or text not in str(error.value)
    assert error.value.__cause__ is None
