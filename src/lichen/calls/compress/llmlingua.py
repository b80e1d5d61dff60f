"""LLMLingua: a compressor of others', through the same port as lichen's own.

Token by token, a small language model says which words can go. It brings torch and loads a model
of some hundred megabytes, which must lie in the local cache of its library; lichen downloads none.

    [compress]
    compressor = "llmlingua"

Source: Pan et al., "LLMLingua-2" (ACL 2024 findings); the package `llmlingua` 0.2 (MIT).
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.ledger.ports import Embedder
    from lichen.text.tokens import Tokenizer

_MODEL = "microsoft/llmlingua-2-xlm-roberta-large-meetingbank"


class LlmLingua:
    """Keeps the words that LLMLingua-2 keeps; loaded at the first text.

    Raises:
        MissingExtra: the package `llmlingua` is not installed.
    """

    name = "llmlingua-2"

    def __init__(self, _embedder: Callable[[], Embedder]) -> None:
        try:
            from llmlingua import PromptCompressor  # noqa: PLC0415 (torch, and others')
        except ImportError as error:
            raise MissingExtra(
                "the compressor llmlingua", "the package llmlingua", "llmlingua"
            ) from error
        self._make: Any = PromptCompressor
        self._made: Any = None
        self._lock = Lock()

    def compress(self, text: str, question: str, keep: float, _tokenizer: Tokenizer) -> str:
        """The text with a share `keep` of its words."""
        with self._lock:
            if self._made is None:
                self._made = self._make(_MODEL, use_llmlingua2=True)
            made = self._made.compress_prompt(
                [text], question=question, rate=keep, force_tokens=["\n", "?"]
            )
        return str(made["compressed_prompt"])
