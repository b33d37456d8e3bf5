"""Whatever the bytes and however they come, the text is that of an oracle that sees all of them at once."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from bot.inference.text_stream import TextStream

# Few characters, of one to four bytes, so that stop strings overlap each other and themselves often.
CHARS = "ab\n日é🙂"
BROKEN = (b"\xf0\x9f", b"\xe6\x97", b"\xff", b"\x80", b"\xed\xa0")
FRAGMENTS = st.sampled_from([*(char.encode() for char in CHARS), *BROKEN])
BYTES = st.lists(FRAGMENTS, max_size=24).map(b"".join) | st.binary(max_size=16)
STOPS = st.lists(st.text(CHARS + "�", max_size=4), max_size=4)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def oracle(data: bytes, stops: list[str]) -> tuple[str, bool]:
    """All of it decoded, up to the stop string that is complete first (the longest, if several are)."""
    text = data.decode(errors="replace")
    for end in range(1, len(text) + 1):
        complete = [len(stop) for stop in stops if stop and text[:end].endswith(stop)]
        if complete:
            return text[: end - max(complete)], True
    return text, False


@given(BYTES, STOPS, st.lists(st.integers(0, 99), max_size=8))
@example(b"abc", ["abc", "b"], [1, 2])
@example(b"abc", ["abc", "b"], [])
@example("日本".encode(), ["日本"], [1, 2, 3, 4, 5])
@example(b"\nUser:\nUser:", ["\nUser:", "User"], [3])
def test_any_split_gives_the_text_of_the_oracle(data: bytes, stops: list[str], cuts: list[int]) -> None:
    stream, released = TextStream(stops), ""
    expected, stopped = oracle(data, stops)
    for piece in pieces(data, cuts):
        released += stream.feed(piece)
        # Nothing is ever released that the rest of the bytes could turn into a part of a stop string.
        assert expected.startswith(released)
    released += stream.finish()
    assert (released, stream.stopped) == (expected, stopped)


@given(st.text(max_size=20))
def test_without_stops_every_whole_character_is_released_at_once(text: str) -> None:
    data, stream = text.encode(errors="replace"), TextStream()
    released = [stream.feed(bytes([byte])) for byte in data]
    assert "".join(released) == data.decode()
    assert [char for char in released if char] == list(data.decode())


def test_a_stopped_stream_is_silent_for_ever() -> None:
    stream = TextStream(["stop"])
    assert stream.feed(b"go stop go") == "go "
    assert (stream.feed(b"more"), stream.finish(), stream.stopped) == ("", "", True)


def test_the_beginning_of_a_stop_string_comes_out_when_nothing_follows() -> None:
    stream = TextStream(["\nUser:"])
    assert stream.feed(b"Hi.\nUse") == "Hi."
    assert stream.finish() == "\nUse"
    assert not stream.stopped


def test_empty_stop_strings_stop_nothing() -> None:
    stream = TextStream(["", ""])
    assert stream.feed(b"all of it") + stream.finish() == "all of it"
    assert not stream.stopped
