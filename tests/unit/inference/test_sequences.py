"""The table of sequences against a naive model of llama.cpp's unified cache: what it believes is what lies there."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.inference.sequences import MIN_MOVED_TOKENS, Opening, SequenceTable, common_length


@dataclass(slots=True)
class Cell:
    """One token at one position; the sequences that see it."""

    token: int
    position: int
    seen_by: set[int] = field(default_factory=set)


class NaiveCache:
    """llama_memory_seq_rm, _cp and _add as their documentation has them: a position belongs to the cell.

    One that cannot be cut is that of a recurrent state: whatever part is asked for, it is copied whole.
    """

    def __init__(self, *, can_cut: bool = True) -> None:
        self.can_cut = can_cut
        self.cells: list[Cell] = []

    def remove(self, sequence: int, start: int = 0, end: int = 1 << 30) -> None:
        assert self.can_cut or start == 0 or not self._of(sequence, start, end), "a part of a state cannot be removed"
        for cell in self._of(sequence, start, end):
            cell.seen_by.discard(sequence)
        self.cells = [cell for cell in self.cells if cell.seen_by]

    def copy(self, source: int, target: int, end: int) -> None:
        for cell in self._of(source, 0, end if self.can_cut else 1 << 30):
            cell.seen_by.add(target)

    def move(self, sequence: int, start: int, end: int, by: int) -> None:
        for cell in self._of(sequence, start, end):
            cell.position += by

    def decode(self, sequence: int, position: int, tokens: list[int]) -> None:
        self.cells += [Cell(token, position + offset, {sequence}) for offset, token in enumerate(tokens)]

    def tokens(self, sequence: int) -> list[int]:
        seen = sorted(self._of(sequence, 0, 1 << 30), key=lambda cell: cell.position)
        assert [cell.position for cell in seen] == list(range(len(seen))), "a gap, or two tokens at one position"
        return [cell.token for cell in seen]

    def apply(self, opening: Opening) -> None:
        """What the docstring of Opening says, in its order."""
        for evicted in opening.evicted:
            self.remove(evicted)
        if opening.source is not None:
            self.copy(opening.source, opening.id, opening.copied)
            if opening.source_evicted:
                self.remove(opening.source)
            return
        end = opening.moved_from + opening.moved
        self.remove(opening.id, max(opening.kept, end))
        if opening.moved:
            self.remove(opening.id, opening.kept, opening.moved_from)
            self.move(opening.id, opening.moved_from, end, opening.kept - opening.moved_from)

    def _of(self, sequence: int, start: int, end: int) -> list[Cell]:
        return [cell for cell in self.cells if sequence in cell.seen_by and start <= cell.position < end]


def block(number: int) -> list[int]:
    """A stretch of text: always the same for the same number; some are alike, some are long enough to be moved."""
    draw = random.Random(number // 2)
    length = (3, 20, 40, 45, 70)[number % 5]
    return [*draw.choices(range(4), k=length), number]


SYSTEM = block(3)
BLOCKS = st.lists(st.integers(0, 9).map(block), max_size=5)
CONVERSATIONS = st.sampled_from(["one", "two", "three", None])
SLOTS = 3
PINNED = 1


class CacheMachine(RuleBasedStateMachine):
    """Conversations come, go on, are trimmed and give way to each other."""

    @initialize(cells=st.integers(60, 900), can_move=st.booleans(), can_cut=st.booleans(), pin=st.booleans())
    def begin(self, cells: int, can_move: bool, can_cut: bool, pin: bool) -> None:
        self.cells, self.can_move = cells, can_move and can_cut
        self.table = SequenceTable(SLOTS + PINNED + 2, cells, can_move=self.can_move, can_cut=can_cut)
        self.cache = NaiveCache(can_cut=can_cut)
        self.live: dict[int, list[int]] = {}
        self.busy: dict[int, tuple[int, str | None]] = {}  # the reserve and the conversation
        self.conversation_of: dict[int, str | None] = {}
        self.pinned: set[int] = set()
        self.said: dict[str, list[list[int]]] = {}
        if pin and len(SYSTEM) < cells // 2:
            self.pin()

    def pin(self) -> None:
        opening = self.open(SYSTEM, None, len(SYSTEM))
        self.extend(opening.id, SYSTEM[opening.cached :])
        self.table.pin(opening.id)
        self.pinned.add(opening.id)
        self.busy.pop(opening.id)
        assert self.table.close(opening.id)

    @rule(conversation=CONVERSATIONS, blocks=BLOCKS, with_system=st.booleans(), most=st.integers(1, 40))
    def begin_text(self, conversation: str | None, blocks: list[list[int]], with_system: bool, most: int) -> None:
        self.write(conversation, [SYSTEM, *blocks] if with_system else blocks, most)

    @precondition(lambda self: self.said)
    @rule(data=st.data(), more=BLOCKS, most=st.integers(1, 40))
    def go_on(self, data: st.DataObject, more: list[list[int]], most: int) -> None:
        """The next turn: some of the oldest blocks behind the first may have been trimmed away."""
        conversation = data.draw(st.sampled_from(sorted(self.said)))
        first, *rest = self.said[conversation] or [[]]
        dropped = data.draw(st.integers(0, len(rest)))
        self.write(conversation, [first, *rest[dropped:], *more], most)

    @precondition(lambda self: self.said)
    @rule(data=st.data(), conversation=CONVERSATIONS, more=BLOCKS)
    def say_the_same(self, data: st.DataObject, conversation: str | None, more: list[list[int]]) -> None:
        """Somebody else begins as an earlier conversation did, so that sequences share cells."""
        source = data.draw(st.sampled_from(sorted(self.said)))
        self.write(conversation, [*self.said[source], *more], 5)

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), tokens=st.lists(st.integers(0, 3), max_size=60))
    def decode(self, data: st.DataObject, tokens: list[int]) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.busy)))
        self.extend(sequence, tokens[: self.busy[sequence][0] - len(self.live[sequence])])

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), most=st.integers(1, 40))
    def fork(self, data: st.DataObject, most: int) -> None:
        """Another text goes on from all that stands in one that is being written."""
        source = data.draw(st.sampled_from(sorted(self.busy)))
        tokens = self.live[source]
        if not self.has_place_for(len(tokens) + most):
            return
        opening = self.table.fork(source, len(tokens) + most)
        assert not {*opening.evicted} & (self.busy.keys() | self.pinned) and not opening.source_evicted
        self.forget({*opening.evicted})
        assert opening.id not in self.live, "a number was given out twice"
        assert (opening.source, opening.cached) == (source, len(tokens))
        self.begin_as(opening, tokens, len(tokens) + most, None)

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.busy)))
        _, conversation = self.busy.pop(sequence)
        rests = self.table.close(sequence)
        assert rests == (conversation is not None and self.resting(conversation, besides=sequence) is None)
        if not rests:
            self.cache.remove(sequence)
            del self.live[sequence]

    def write(self, conversation: str | None, blocks: list[list[int]], most: int) -> None:
        prompt = [token for part in blocks for token in part] or [0]
        if not self.has_place_for(len(prompt) + most):
            return
        opening = self.open(prompt, conversation, len(prompt) + most)
        self.extend(opening.id, prompt[opening.cached :])
        if conversation is not None:
            self.said[conversation] = blocks

    def has_place_for(self, reserve: int) -> bool:
        """Whether the scheduler would have admitted it by now."""
        promised = sum(reserve for reserve, _ in self.busy.values())
        kept = sum(len(self.live[sequence]) for sequence in self.pinned)
        return len(self.busy) < SLOTS and kept + promised + reserve <= self.cells

    def open(self, prompt: list[int], conversation: str | None, reserve: int) -> Opening:
        own = self.resting(conversation) if conversation else None
        own_common = min(common_length(self.live[own], prompt), len(prompt) - 1) if own is not None else 0
        if own is not None and not self.cache.can_cut and own_common < len(self.live[own]):
            own_common = 0
        opening = self.table.open(prompt, conversation, reserve)
        gone = {*opening.evicted, *((opening.source,) if opening.source_evicted else ())}
        assert not gone & (self.busy.keys() | self.pinned)
        assert own_common <= opening.cached < len(prompt)
        assert opening.moved == 0 or self.can_move
        if opening.source is None and opening.kept + opening.moved:
            assert opening.id == own
        self.forget(gone)
        assert opening.id not in self.live or opening.id == own, "a number was given out twice"
        self.begin_as(opening, prompt, reserve, conversation)
        return opening

    def begin_as(self, opening: Opening, prompt: list[int], reserve: int, conversation: str | None) -> None:
        self.cache.apply(opening)
        self.live[opening.id] = prompt[: opening.cached]
        self.busy[opening.id] = (reserve, conversation)
        self.conversation_of[opening.id] = conversation

    def forget(self, gone: set[int]) -> None:
        for sequence in gone:
            del self.live[sequence]

    def extend(self, sequence: int, tokens: list[int]) -> None:
        position = self.table.extend(sequence, tokens)
        assert position == len(self.live[sequence])
        self.cache.decode(sequence, position, tokens)
        self.live[sequence] = self.live[sequence] + tokens

    def resting(self, conversation: str, besides: int = -1) -> int | None:
        found = [
            sequence
            for sequence in self.live
            if sequence not in self.busy and sequence != besides and self.conversation_of[sequence] == conversation
        ]
        assert len(found) <= 1
        return found[0] if found else None

    @invariant()
    def the_cache_holds_what_the_table_says(self) -> None:
        for sequence, tokens in self.live.items():
            assert self.cache.tokens(sequence) == tokens == self.table[sequence].tokens
        assert {sequence for cell in self.cache.cells for sequence in cell.seen_by} <= self.live.keys()

    @invariant()
    def there_are_cells_for_everything_promised(self) -> None:
        unwritten = sum(reserve - len(self.live[sequence]) for sequence, (reserve, _) in self.busy.items())
        assert len(self.cache.cells) + unwritten <= self.table.used_cells <= self.cells


TestCache = CacheMachine.TestCase
TestCache.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)


def written(table: SequenceTable, prompt: list[int], conversation: str | None, reserve: int = 0) -> Opening:
    """Open, decode and close."""
    opening = table.open(prompt, conversation, reserve or len(prompt) + 5)
    table.extend(opening.id, prompt[opening.cached :])
    table.close(opening.id)
    return opening


def test_the_next_turn_decodes_only_what_is_new() -> None:
    table = SequenceTable(4, 1_000)
    first = written(table, list(range(100)), "chat")
    again = table.open([*range(100), 7, 8, 9], "chat", 200)
    assert (again.id, again.cached, again.evicted) == (first.id, 100, ())


def test_a_new_conversation_shares_the_beginning_of_another() -> None:
    table = SequenceTable(4, 1_000)
    first = written(table, [*range(50), 1], "chat")
    other = table.open([*range(50), 2], "elsewhere", 60)
    assert (other.source, other.copied, other.source_evicted) == (first.id, 50, False)


def test_a_state_that_cannot_be_cut_serves_whole_or_not_at_all() -> None:
    table = SequenceTable(8, 1_000, can_move=False, can_cut=False)
    pinned = table.open(list(range(10)), None, 10)
    table.extend(pinned.id, list(range(10)))
    table.pin(pinned.id)
    table.close(pinned.id)
    own = written(table, [*range(50), 1], "chat")
    assert (own.source, own.copied) == (pinned.id, 10)
    other = written(table, [*range(50), 2], "elsewhere")  # and not the 50 tokens of the other conversation
    assert (other.source, other.copied) == (pinned.id, 10)
    again = table.open([*range(50), 1, 7], "chat", 60)
    assert (again.id, again.kept) == (own.id, 51)
    table.extend(again.id, [7])
    table.close(again.id)
    trimmed = table.open([*range(10), *range(40, 50), 1, 7, 8], "chat", 60)
    assert (trimmed.source, trimmed.copied, trimmed.moved) == (pinned.id, 10, 0)


def test_a_prompt_that_is_cached_as_a_whole_still_decodes_its_last_token() -> None:
    table = SequenceTable(4, 1_000)
    written(table, list(range(50)), "chat")
    assert table.open(list(range(50)), "chat", 60).cached == 49
    assert table.open(list(range(50)), None, 60).cached == 49


def test_a_text_with_the_same_prompt_decodes_nothing_of_it() -> None:
    table = SequenceTable(4, 1_000)
    first = table.open(list(range(50)), None, 60)
    table.extend(first.id, list(range(50)))
    other = table.fork(first.id, 60)
    assert (other.source, other.cached, table[other.id].tokens) == (first.id, 50, list(range(50)))
    assert not table.close(other.id) and table[first.id].tokens == list(range(50))


def test_the_least_recently_used_conversation_goes_first() -> None:
    table = SequenceTable(8, 100)
    old, middle = written(table, [1] * 30, "old", 35), written(table, [2] * 30, "middle", 35)
    written(table, [1] * 31, "old", 35)
    assert table.open([3] * 30, "new", 60).evicted == (middle.id,)
    assert table[old.id].tokens == [1] * 31


def test_behind_a_trimmed_gap_the_rest_is_moved_and_not_decoded_anew() -> None:
    table = SequenceTable(4, 1_000)
    system, oldest, rest = list(range(10)), list(range(100, 130)), list(range(200, 280))
    written(table, [*system, *oldest, *rest], "chat")
    opening = table.open([*system, *rest, 7], "chat", 200)
    assert (opening.kept, opening.moved_from, opening.moved) == (10, 40, 80)


def test_a_short_stretch_is_not_moved() -> None:
    table = SequenceTable(4, 1_000)
    rest = list(range(200, 200 + MIN_MOVED_TOKENS - 1))
    written(table, [*range(10), 50, *rest], "chat")
    assert table.open([*range(10), *rest, 7, 8], "chat", 200).moved == 0


def test_cells_that_another_sequence_shares_are_not_moved() -> None:
    table = SequenceTable(4, 1_000)
    system, oldest, rest = list(range(10)), list(range(100, 130)), list(range(200, 280))
    written(table, [*system, *oldest, *rest], "chat")
    table.open([*system, *oldest, *rest, 5], None, 200)  # sees the same cells at the same positions
    assert table.open([*system, *rest, 7], "chat", 200).moved == 0


def test_of_two_replies_written_at_once_the_first_to_end_stays() -> None:
    table = SequenceTable(4, 1_000)
    first, second = table.open([1, 2, 3], "chat", 10), table.open([1, 2, 4], "chat", 10)
    assert first.id != second.id
    assert table.close(second.id)
    assert not table.close(first.id)


def test_a_prompt_without_tokens_keeps_nothing() -> None:
    table = SequenceTable(4, 1_000)
    written(table, [1, 2, 3], "chat")
    assert table.open([], "chat", 10).cached == 0
