"""A loaded GGUF: its vocabulary, its tokenizer and its chat template; knows no queue and draws no text."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path

import llama_cpp.llama_cpp as llama
import numpy as np

from bot.chat.messages import Turn
from bot.errors import ModelInvalid
from bot.inference.chat_template import ChatTemplate

_log_tail: list[str] = []


@llama.llama_log_callback
def _keep_errors(level: int, text: bytes, user_data: object) -> None:
    if level >= 4:  # GGML_LOG_LEVEL_ERROR, and the continuation lines behind it
        _log_tail.append(text.decode(errors="replace").strip())
        del _log_tail[:-5]


def initialise() -> None:
    """Once in a process: llama.cpp is silent and its errors are kept for our own sentences."""
    llama.llama_log_set(_keep_errors, None)
    llama.llama_backend_init()


def last_error() -> str:
    """What llama.cpp said last of an error, or an empty text."""
    return next((line for line in reversed(_log_tail) if line), "")


class GgufModel:
    """A model in memory. Raises ModelInvalid when llama.cpp cannot load the file."""

    def __init__(self, path: Path, progress: Callable[[float], None]) -> None:
        params = llama.llama_model_default_params()
        params.n_gpu_layers = 0

        @llama.llama_progress_callback
        def report(fraction: float, user_data: object) -> bool:
            progress(fraction)
            return True

        params.progress_callback = report
        self.pointer = llama.llama_model_load_from_file(str(path).encode(), params)
        if not self.pointer:
            raise ModelInvalid(f"The model file {path.name} cannot be loaded: {last_error() or 'unknown reason'}.")
        self.vocabulary = llama.llama_model_get_vocab(self.pointer)
        self.vocabulary_size = int(llama.llama_vocab_n_tokens(self.vocabulary))
        self.trained_context = int(llama.llama_model_n_ctx_train(self.pointer))
        self.state_size = int(llama.llama_model_n_embd_out(self.pointer))
        self.parameters = int(llama.llama_model_n_params(self.pointer))
        # Some of its layers keep one state of all tokens so far, and nothing of each.
        self.recurrent = bool(llama.llama_model_is_recurrent(self.pointer) or llama.llama_model_is_hybrid(self.pointer))
        self.description = self._describe()
        self._bos = self._token_text(llama.llama_vocab_bos(self.vocabulary))
        self.ending = self._token_text(llama.llama_vocab_eos(self.vocabulary))
        source = llama.llama_model_chat_template(self.pointer, None)
        self.template = ChatTemplate(source.decode() if source else None, self._bos, self.ending)
        self._control = [text for text in self._control_texts() if len(text) > 1]
        self._pieces: dict[int, bytes] = {}

    def render(self, turns: Sequence[Turn]) -> list[int]:
        """The tokens of a conversation that asks for the next assistant turn.

        What people wrote cannot forge a control token: one that stands in a turn is broken by a space.
        """
        text = self.template.render([Turn(turn.role, self._defuse(turn.content)) for turn in turns])
        return self.tokenize(text, control=True, begin=not (self._bos and text.startswith(self._bos)))

    def tokenize(self, text: str, *, control: bool = False, begin: bool = True) -> list[int]:
        """Token ids; `control` lets the text name control tokens, `begin` adds what the model begins texts with."""
        data = text.encode(errors="replace")
        size = len(data) + 8
        buffer = (llama.llama_token * size)()
        count = llama.llama_tokenize(self.vocabulary, data, len(data), buffer, size, begin, control)
        if count < 0:
            size = -count
            buffer = (llama.llama_token * size)()
            count = llama.llama_tokenize(self.vocabulary, data, len(data), buffer, size, begin, control)
        return list(buffer[:count])

    def piece(self, token: int) -> bytes:
        """The bytes that a token adds to the text; control tokens add none."""
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._piece(token, special=False)
        return found

    def surprise(self, context: object, row: int, token: int) -> float:
        """How unlikely the model found the token at that row of the last batch, in nats."""
        logits = np.ctypeslib.as_array(llama.llama_get_logits_ith(context, row), shape=(self.vocabulary_size,))
        most = float(logits.max())
        return most + float(np.log(np.exp(logits - most).sum())) - float(logits[token])

    def ends_text(self, token: int) -> bool:
        """The token closes the reply: an end token, or the control token of a next turn."""
        return bool(llama.llama_vocab_is_eog(self.vocabulary, token)) or bool(
            llama.llama_vocab_is_control(self.vocabulary, token)
        )

    def _piece(self, token: int, *, special: bool) -> bytes:
        buffer = ctypes.create_string_buffer(64)
        size = llama.llama_token_to_piece(self.vocabulary, token, buffer, 64, 0, special)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = llama.llama_token_to_piece(self.vocabulary, token, buffer, -size, 0, special)
        return buffer.raw[:size]

    def _token_text(self, token: int) -> str:
        return self._piece(token, special=True).decode(errors="replace") if token >= 0 else ""

    def _control_texts(self) -> list[str]:
        is_control = llama.llama_vocab_is_control
        tokens = [t for t in range(self.vocabulary_size) if is_control(self.vocabulary, t)]
        return [self._token_text(token) for token in tokens]

    def _defuse(self, content: str) -> str:
        for text in self._control:
            if text in content:
                content = content.replace(text, f"{text[0]} {text[1:]}")
        return content

    def _describe(self) -> str:
        buffer = ctypes.create_string_buffer(256)
        llama.llama_model_desc(self.pointer, buffer, 256)
        return buffer.value.decode(errors="replace")
