"""LlamaIndex: the cache of its ingestion, with what it spares in lichen's book.

    cache = IngestionCache(cache=LichenKVStore("lichen.db", model="text-embedding-3-small"))
    IngestionPipeline(transformations=[..., embed_model], cache=cache)

A pipeline of LlamaIndex keeps what each transformation made of the same nodes. Where that is
embeddings, a hit spares the call that made them. LlamaIndex tells no token counts there, so they
are estimated by the bytes of the texts, and the entry says so. Its models' own calls go through
lichen by their HTTP client (see lichen.calls.transports).

Source: LlamaIndex reference, `IngestionCache`, `BaseKVStore`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from llama_index.core.storage.kvstore.simple_kvstore import SimpleKVStore
from llama_index.core.storage.kvstore.types import DEFAULT_COLLECTION, BaseKVStore

from lichen.hooks.kept_calls import KeptCalls
from lichen.hooks.quietly import quiet
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LichenKVStore"]

# One token of English text is about four bytes.
# Source: OpenAI Help Center, "What are tokens and how to count them?"
_BYTES_PER_TOKEN = 4


class LichenKVStore(BaseKVStore):
    """A store for `IngestionCache`.

    `model` is the embedding model, which the nodes do not name; `inner` keeps what has no
    embedding, in memory by default. The rest is as for `KeptCalls`.
    """

    def __init__(
        self, *ledger: Any, model: str = "", inner: BaseKVStore | None = None, **how: Any
    ) -> None:
        self.kept = KeptCalls("llama-index", *ledger, **how)
        self._model = model
        self._inner = inner or SimpleKVStore()

    def put(self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION) -> None:
        """Keep what a transformation made; embeddings are booked as the call that made them."""
        made = 0
        with quiet("reading nodes of llama-index"):
            made = _embedded_bytes(val)
        if not made:
            self._inner.put(key, val, collection)
            return
        self._inner.put(key, {}, collection)
        self.kept.keep(
            (collection, key),
            json.dumps(val).encode(),
            kind="embeddings",
            model=self._model,
            tokens=Tokens(prefill=max(1, made // _BYTES_PER_TOKEN)),
        )

    def get(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        """What was kept under a key; embeddings given again are booked as spared."""
        there = self._inner.get(key, collection)
        if there:
            return there
        body = self.kept.find(collection, key)
        if body is None:
            return None
        found: dict[str, Any] = json.loads(body)
        return found

    def get_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        """The keys of a collection that this process knows; embeddings are not read for it."""
        return dict(self._inner.get_all(collection))

    def delete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """Drop a key."""
        known = bool(self._inner.delete(key, collection))
        return self.kept.drop(collection, key) or known

    async def aput(
        self, key: str, val: dict[str, Any], collection: str = DEFAULT_COLLECTION
    ) -> None:
        """As `put`."""
        self.put(key, val, collection)

    async def aget(self, key: str, collection: str = DEFAULT_COLLECTION) -> dict[str, Any] | None:
        """As `get`."""
        return self.get(key, collection)

    async def aget_all(self, collection: str = DEFAULT_COLLECTION) -> dict[str, dict[str, Any]]:
        """As `get_all`."""
        return self.get_all(collection)

    async def adelete(self, key: str, collection: str = DEFAULT_COLLECTION) -> bool:
        """As `delete`."""
        return self.delete(key, collection)


def _embedded_bytes(val: Mapping[str, Any]) -> int:
    """Bytes of the texts among kept nodes that have an embedding. [byte]"""
    nodes = (node.get("__data__", node) for node in val.get("nodes", ()))
    return sum(len(str(node.get("text", "")).encode()) for node in nodes if node.get("embedding"))
