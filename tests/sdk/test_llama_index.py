"""LlamaIndex's ingestion cache, with what it spares in the book: its own pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from llama_index.core import MockEmbedding
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.schema import Document

from lichen.hooks.llama_index import LichenKVStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "A lichen lives on almost nothing. " * 20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LichenKVStore]:
    """A store on a ledger of its own."""
    made = LichenKVStore(tmp_path / "lichen.db", model="text-embedding-3-small", zone="SE-SE3")
    yield made
    made.kept.close()


def ingest(store: LichenKVStore) -> list[list[float] | None]:
    pipeline = IngestionPipeline(
        transformations=[TokenTextSplitter(chunk_size=64, chunk_overlap=0), MockEmbedding(8)],
        cache=IngestionCache(cache=store),
    )
    return [n.embedding for n in pipeline.run(documents=[Document(text=TEXT, id_="one")])]


def strategies(store: LichenKVStore) -> list[str]:
    store.kept.book.flush()
    return [entry.figures.strategy for entry in store.kept.book.store.entries()]


def test_the_same_documents_again_spare_their_embeddings(store: LichenKVStore) -> None:
    first = ingest(store)

    again = ingest(store)

    assert first == again
    assert strategies(store) == ["none", "calls.exact"]
    [paid, hit] = store.kept.book.store.entries()
    assert paid.figures.name == "embeddings"
    assert paid.figures.tokens.prefill == pytest.approx(len(TEXT) / 4, rel=0.1)
    assert paid.figures.tokens.decode == 0
    assert store.kept.book.prove(hit.id).holds


def test_what_has_no_embedding_is_kept_and_not_booked(store: LichenKVStore) -> None:
    store.put("k", {"nodes": [{"__data__": {"text": "plain"}}]})

    assert store.get("k") == {"nodes": [{"__data__": {"text": "plain"}}]}
    assert strategies(store) == []


def test_a_cleared_cache_embeds_anew(store: LichenKVStore) -> None:
    ingest(store)

    IngestionCache(cache=store).clear()
    ingest(store)

    assert strategies(store) == ["none", "none"]


def test_a_key_that_is_dropped_is_gone(store: LichenKVStore) -> None:
    store.put("k", {"nodes": [{"__data__": {"text": "a", "embedding": [1.0]}}]})

    assert store.delete("k")
    assert store.get("k") is None
    assert not store.delete("k")
