"""Many texts in one llama.cpp context: lays out the cache, decodes one mixed batch a step; decides nothing.

Who is written for, and how much of each prompt goes into a step, is the scheduler's choice.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import llama_cpp.llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from bot.errors import ModelTooLarge
from bot.inference.gguf_model import GgufModel, last_error
from bot.inference.sequences import Opening, SequenceTable

SCRATCH_CELLS = 64  # kept free for the thread trial
RESTING_SEQUENCES = 32  # conversations and prefixes that may stay beside those being written
SMALL_MODEL_PARAMETERS = 100_000_000
TRIAL_BATCH = 16


@dataclass(frozen=True, slots=True)
class Piece:
    """A sequence's part of a batch; with `draws`, its last token gets logits."""

    sequence: int
    tokens: Sequence[int]
    draws: bool


@dataclass(frozen=True, slots=True)
class Threads:
    """Threads for one stream and for batches of TRIAL_BATCH, with the rates they gave, in tokens a second."""

    single: int
    batch: int
    single_rate: float
    batch_rate: float


class BatchEngine:
    """One context over one model. Sequence numbers come from `open` and live until `close`."""

    def __init__(self, model: GgufModel, *, slots: int, context_tokens: int, batch_tokens: int) -> None:
        self._model = model
        sequences = slots + RESTING_SEQUENCES
        params = llama.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = context_tokens, batch_tokens, batch_tokens
        params.n_seq_max, params.kv_unified = sequences + 1, True
        params.n_outputs_max = max(TRIAL_BATCH, sequences + 1)  # logits are wide: room for no more than can be drawn
        params.flash_attn_type = _attention_kind(model)
        params.no_perf = True
        params.pooling_type = llama.LLAMA_POOLING_TYPE_NONE  # states of tokens, whatever the file asks for
        self.context = llama.llama_init_from_model(model.pointer, params)
        if not self.context:
            raise ModelTooLarge(
                f"The cache of {context_tokens} tokens does not fit into memory ({last_error() or 'no reason given'}); "
                "lower inference.context_tokens or take a smaller model."
            )
        self.cells = int(llama.llama_n_ctx(self.context)) - SCRATCH_CELLS
        self._memory = llama.llama_get_memory(self.context)
        self._scratch = sequences
        self.threads = Threads(1, 1, 0.0, 0.0)  # until the first trials
        self._batch_tokens = batch_tokens
        self._batch = llama.llama_batch_init(batch_tokens, 0, 1)
        # llama.cpp copies a recurrent state whole, whatever part of it is asked for, and "moves" it as it is.
        self.can_move = not model.recurrent and bool(llama.llama_memory_can_shift(self._memory))
        self.sequences = SequenceTable(sequences, self.cells, can_move=self.can_move, can_cut=not model.recurrent)

    def open(self, prompt: Sequence[int], conversation: str | None, reserve: int) -> Opening:
        """Lay out the cache for a prompt; its first `cached` tokens need no decoding."""
        opening = self.sequences.open(prompt, conversation, reserve)
        if opening.source is not None:
            return self._copy(opening)
        for evicted in opening.evicted:
            self._clear(evicted)
        return opening if self._keep(opening) else self._open_anew(opening, prompt)

    def fork(self, sequence: int, reserve: int) -> Opening:
        """A sequence of its own for another text with the same prompt, all of which is decoded."""
        return self._copy(self.sequences.fork(sequence, reserve))

    def close(self, sequence: int) -> None:
        """The text is written or given up; a conversation's cells stay for its next turn."""
        if not self.sequences.close(sequence):
            self._clear(sequence)

    def pin(self, prompt: Sequence[int]) -> None:
        """Decode a prefix once and keep it, for every request that begins with it."""
        opening = self.open(prompt, None, len(prompt))
        for start in range(opening.cached, len(prompt), self._batch_tokens):
            self.decode([Piece(opening.id, prompt[start : start + self._batch_tokens], draws=False)])
        self.sequences.pin(opening.id)
        self.sequences.close(opening.id)

    def decode(self, pieces: Sequence[Piece], *, states: bool = False) -> list[int]:
        """Run one batch; returns, for each piece, the row of its last token's logits, and with `states` of its state.

        llama.cpp makes logits for every token of a batch that it makes states for, so that what is not drawn from goes
        into a batch of its own, before it.
        """
        if not states:
            return self._decode(pieces, states=False)
        ahead = [before for piece in pieces if (before := _not_drawn_from(piece)).tokens]
        if ahead:
            self._decode(ahead, states=False)
        drawing = [Piece(piece.sequence, piece.tokens[-1:], draws=True) for piece in pieces if piece.draws]
        rows = iter(self._decode(drawing, states=True) if drawing else ())
        return [next(rows) if piece.draws else -1 for piece in pieces]

    def _decode(self, pieces: Sequence[Piece], *, states: bool) -> list[int]:
        llama.llama_set_embeddings(self.context, states)
        self._batch.n_tokens = 0
        rows = [self._put_piece(piece) for piece in pieces]
        self._run()
        return rows

    def state(self, row: int) -> NDArray[np.float32]:
        """The last hidden state, after the norm, that the logits of a row were made of; of a batch with `states`."""
        pointer = llama.llama_get_embeddings_ith(self.context, row)
        return np.ctypeslib.as_array(pointer, shape=(self._model.state_size,)).copy()

    def thread_trials(self, counts: Sequence[int]) -> Generator[None, None, Threads]:
        """Find by short trials, one for each step, how many threads serve one stream best, and how many a wide batch.

        The fewest threads within a tenth of the best are taken: the rest is left to the event loop and the neighbours.
        """
        single, batch = {}, {}
        for count in counts:
            single[count] = self._trial(count, width=1, rounds=5)
            yield
        for count in counts:
            batch[count] = self._trial(count, width=TRIAL_BATCH, rounds=2)
            yield
        best, best_batch = _fewest(single), _fewest(batch)
        self.threads = Threads(best, best_batch, 1 / single[best], TRIAL_BATCH / batch[best_batch])
        self._set_threads(best, best_batch)
        return self.threads

    def _copy(self, opening: Opening) -> Opening:
        for evicted in opening.evicted:
            self._clear(evicted)
        assert opening.source is not None
        llama.llama_memory_seq_cp(self._memory, opening.source, opening.id, 0, opening.copied)
        if opening.source_evicted:
            self._clear(opening.source)
        return opening

    def _keep(self, opening: Opening) -> bool:
        """Own tokens stay, a stretch behind a gap moves down; False for a cache that cannot forget a part."""
        end = opening.moved_from + opening.moved
        kept = opening.kept + opening.moved
        if not opening.moved:
            return bool(llama.llama_memory_seq_rm(self._memory, opening.id, opening.kept, -1))
        removed = llama.llama_memory_seq_rm(self._memory, opening.id, end, -1)
        removed = removed and llama.llama_memory_seq_rm(self._memory, opening.id, opening.kept, opening.moved_from)
        if removed:
            llama.llama_memory_seq_add(self._memory, opening.id, opening.moved_from, end, kept - end)
        return bool(removed)

    def _open_anew(self, opening: Opening, prompt: Sequence[int]) -> Opening:
        self._clear(opening.id)
        self.sequences[opening.id].tokens.clear()
        return Opening(opening.id, 0)

    def _put_piece(self, piece: Piece) -> int:
        position = self.sequences.extend(piece.sequence, piece.tokens)
        last = len(piece.tokens) - 1
        row = -1
        for offset, token in enumerate(piece.tokens):
            row = self._put(token, position + offset, piece.sequence, piece.draws and offset == last)
        return row

    def _put(self, token: int, position: int, sequence: int, draws: bool) -> int:
        batch, row = self._batch, self._batch.n_tokens
        batch.token[row], batch.pos[row], batch.n_seq_id[row], batch.logits[row] = token, position, 1, draws
        batch.seq_id[row][0] = sequence
        batch.n_tokens = row + 1
        return int(row)

    def _run(self) -> None:
        code = llama.llama_decode(self.context, self._batch)
        if code != 0:
            # The scheduler reserves every cell beforehand, so this is a defect: the process ends, and its parent
            # starts another one that goes on from the text already given.
            raise RuntimeError(f"llama_decode answered {code}: {last_error()}")

    def _clear(self, sequence: int) -> None:
        llama.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def _set_threads(self, single: int, batch: int) -> None:
        llama.llama_set_n_threads(self.context, single, batch)

    def _trial(self, threads: int, width: int, rounds: int) -> float:
        """Seconds of one decode of `width` tokens, the median of some rounds after one to warm up; changes nothing."""
        self._set_threads(threads, threads)
        seconds = []
        for _ in range(rounds + 1):
            self._batch.n_tokens = 0
            for position in range(width):
                self._put(position % self._model.vocabulary_size, position, self._scratch, position == width - 1)
            start = time.perf_counter()
            self._run()
            seconds.append(time.perf_counter() - start)
            self._clear(self._scratch)
        self._set_threads(self.threads.single, self.threads.batch)
        return statistics.median(seconds[1:])


def _not_drawn_from(piece: Piece) -> Piece:
    return Piece(piece.sequence, piece.tokens[:-1], draws=False) if piece.draws else piece


def _attention_kind(model: GgufModel) -> int:
    """Flash attention, but for very small models (measured: see DECISIONS.md).

    On a CPU it skips the cells of all other sequences, which with a full cache doubles the rate. But where attention
    is most of the work, it starts the twentieth turn of a talk at nearly twice the second turn's time, and the plain
    kind at the same.
    """
    small = model.parameters < SMALL_MODEL_PARAMETERS
    return int(llama.LLAMA_FLASH_ATTN_TYPE_DISABLED if small else llama.LLAMA_FLASH_ATTN_TYPE_ENABLED)


def thread_counts(cores: int) -> list[int]:
    """The numbers of threads that are worth a trial; more than 32 have never helped one model."""
    return [n for n in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32) if n < cores] + [min(cores, 32)]


def _fewest(seconds: dict[int, float]) -> int:
    best = min(seconds.values())
    return min(threads for threads, taken in seconds.items() if taken <= best * 1.1)
