"""Which token sequences stay in the cache, who may take over or copy them, and who must go; calls no model.

A sequence of the cache is a list of decoded tokens under a number. A conversation's sequence stays when its reply is
done, and the next turn decodes only what is new. A new sequence copies the longest common beginning that any other
has (in a unified cache a copy shares cells). When a conversation was trimmed in its middle, the tokens behind the
gap are moved instead of decoded anew: the cache reuse of llama.cpp's own server (`--cache-reuse`). A recurrent state
is of all its tokens at once: without `can_cut` a sequence serves whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence as Tokens
from dataclasses import dataclass, field

MIN_MOVED_TOKENS = 32  # a shorter stretch is cheaper to decode than to look for
_PROBE = 12  # tokens that must agree before a moved stretch is followed


@dataclass(slots=True)
class CachedSequence:
    """Tokens decoded under one sequence number. Up to `shared` of them may also belong to another sequence."""

    id: int
    tokens: list[int] = field(default_factory=list)
    conversation: str | None = None
    reserved: int = 0  # cells promised while it is being written; 0 when it only rests
    pinned: bool = False
    shared: int = 0
    last_used: int = 0

    @property
    def cells(self) -> int:
        """The cells it counts for; shared ones are counted for each sequence, which errs on the safe side."""
        return max(self.reserved, len(self.tokens))


@dataclass(frozen=True, slots=True)
class Opening:
    """How to lay out the cache for a new prompt, step by step in this order.

    Clear the `evicted` sequences. Copy `copied` tokens from sequence `source` and clear that one too when
    `source_evicted`; or keep `kept` tokens of its own, move the `moved` ones that begin at `moved_from` down behind
    them, and drop the rest.
    """

    id: int
    kept: int
    source: int | None = None
    copied: int = 0
    moved: int = 0
    moved_from: int = 0
    evicted: tuple[int, ...] = ()
    source_evicted: bool = False

    @property
    def cached(self) -> int:
        """Tokens of the prompt that need no decoding."""
        return self.kept + self.copied + self.moved


class SequenceTable:
    """The sequences of one cache, by number."""

    def __init__(self, sequences: int, cells: int, *, can_move: bool = True, can_cut: bool = True) -> None:
        self._free = list(range(sequences))
        self._cells = cells
        self._can_move = can_move
        self._can_cut = can_cut
        self._table: dict[int, CachedSequence] = {}
        self._clock = 0

    def __getitem__(self, sequence_id: int) -> CachedSequence:
        return self._table[sequence_id]

    @property
    def used_cells(self) -> int:
        """Cells that are filled or promised."""
        return sum(entry.cells for entry in self._table.values())

    def open(self, prompt: Tokens[int], conversation: str | None, reserve: int) -> Opening:
        """Give the prompt a sequence with `reserve` cells; at least its last token is left to be decoded."""
        own = self._resting(conversation)
        own_common = self._usable(own, prompt) if own else 0
        donor, donor_common = self._best_donor(prompt, own)
        if own:
            moved_from, moved = self._movable(own, prompt, own_common)
            if own_common + moved >= donor_common:
                return self._reopen(own, own_common, moved_from, moved, reserve)
        evicted = self._drop(own) if own else ()
        evicted += self._make_room(reserve, spare=donor)
        entry = CachedSequence(self._free.pop(0), list(prompt[:donor_common]), conversation, reserve)
        self._table[entry.id] = entry
        self._touch(entry)
        if donor is None or not donor_common:
            evicted += self._make_room(0)
            return Opening(entry.id, 0, evicted=evicted)
        entry.shared = donor_common
        donor.shared = max(donor.shared, donor_common)
        self._touch(donor)
        gone = self._make_room(0)  # the donor itself, where nothing else could go
        return Opening(entry.id, 0, donor.id, donor_common, evicted=evicted, source_evicted=bool(gone))

    def fork(self, sequence_id: int, reserve: int) -> Opening:
        """Give another text with the same prompt a sequence of its own, with `reserve` cells; it decodes none of it."""
        source = self._table[sequence_id]
        evicted = self._make_room(reserve)
        entry = CachedSequence(self._free.pop(0), list(source.tokens), None, reserve, shared=len(source.tokens))
        self._table[entry.id] = entry
        source.shared = len(source.tokens)
        self._touch(entry)
        return Opening(entry.id, 0, source.id, len(source.tokens), evicted=evicted)

    def extend(self, sequence_id: int, tokens: Tokens[int]) -> int:
        """Tokens were put behind the sequence; returns the position of the first."""
        entry = self._table[sequence_id]
        position = len(entry.tokens)
        entry.tokens.extend(tokens)
        return position

    def close(self, sequence_id: int) -> bool:
        """Its text is written: True if the sequence rests for the next turn, False if its cells are to be cleared."""
        entry = self._table[sequence_id]
        entry.reserved = 0
        self._touch(entry)
        if entry.conversation is None and not entry.pinned:
            self._drop(entry)
            return False
        newer = self._resting(entry.conversation, besides=entry) if entry.conversation else None
        if newer:  # two replies of one conversation were written at once: the first to rest stays
            self._drop(entry)
            return False
        return True

    def pin(self, sequence_id: int) -> None:
        """Never evict this one: a prefix that all requests share."""
        self._table[sequence_id].pinned = True

    def forget(self, sequence_id: int) -> None:
        """Its cells are gone."""
        self._drop(self._table[sequence_id])

    def _reopen(self, own: CachedSequence, common: int, moved_from: int, moved: int, reserve: int) -> Opening:
        own.tokens = own.tokens[:common] + own.tokens[moved_from : moved_from + moved]
        own.reserved = reserve
        own.shared = min(own.shared, common)
        self._touch(own)
        evicted = self._make_room(0)
        return Opening(own.id, common, moved=moved, moved_from=moved_from, evicted=evicted)

    def _movable(self, own: CachedSequence, prompt: Tokens[int], common: int) -> tuple[int, int]:
        """The stretch behind a trimmed gap: where it begins and its length, or (0, 0)."""
        usable = len(prompt) - 1
        probe = list(prompt[common : common + _PROBE])
        if not self._can_move or min(usable, len(own.tokens)) - common < MIN_MOVED_TOKENS:
            return 0, 0
        for start in range(max(common + 1, own.shared), len(own.tokens) - MIN_MOVED_TOKENS + 1):
            if own.tokens[start] == probe[0] and own.tokens[start : start + _PROBE] == probe:
                length = common_length(own.tokens[start:], prompt[common:usable])
                if length >= MIN_MOVED_TOKENS:
                    return start, length
        return 0, 0

    def _usable(self, entry: CachedSequence, prompt: Tokens[int]) -> int:
        """How many of its tokens the prompt begins with and need no decoding; the prompt's last one always does."""
        common = min(common_length(entry.tokens, prompt), max(0, len(prompt) - 1))
        return common if self._can_cut or common == len(entry.tokens) else 0

    def _best_donor(self, prompt: Tokens[int], own: CachedSequence | None) -> tuple[CachedSequence | None, int]:
        lengths = [(self._usable(entry, prompt), entry) for entry in self._table.values() if entry is not own]
        length, best = max(lengths, key=lambda pair: pair[0], default=(0, None))
        return best, length

    def _resting(self, conversation: str | None, besides: CachedSequence | None = None) -> CachedSequence | None:
        if conversation is None:
            return None
        for entry in self._table.values():
            if entry.conversation == conversation and not entry.reserved and entry is not besides:
                return entry
        return None

    def _make_room(self, reserve: int, spare: CachedSequence | None = None) -> tuple[int, ...]:
        """Drop resting sequences, least recently used first, until `reserve` cells and a number are free."""
        evicted: tuple[int, ...] = ()
        resting = sorted(
            (e for e in self._table.values() if not e.reserved and not e.pinned and e is not spare),
            key=lambda entry: entry.last_used,
        )
        numbers_short = bool(reserve) and not self._free
        for entry in resting:
            if self.used_cells + reserve <= self._cells and not numbers_short:
                break
            evicted += self._drop(entry)
            numbers_short = False
        return evicted

    def _drop(self, entry: CachedSequence) -> tuple[int, ...]:
        del self._table[entry.id]
        self._free.append(entry.id)
        return (entry.id,)

    def _touch(self, entry: CachedSequence) -> None:
        self._clock += 1
        entry.last_used = self._clock


def common_length(left: Tokens[int], right: Tokens[int]) -> int:
    """How many tokens both begin with."""
    limit = min(len(left), len(right))
    at = 0
    while at < limit and list(left[at : at + 64]) == list(right[at : at + 64]):
        at = min(at + 64, limit)
    while at < limit and left[at] == right[at]:
        at += 1
    return at
