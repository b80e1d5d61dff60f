"""LangChain: its cache of model answers, kept and booked by lichen.

    from langchain_core.globals import set_llm_cache
    set_llm_cache(LichenCache("lichen.db", zone="SE-SE3"))

Every call that the cache could not answer is metered by the tokens its message reports, every one
that it could is a saving that `lichen prove` runs again. What LangChain calls one call is the
prompt and the model with all its parameters; whoever sets a cache wants sampled answers reused.

Source: LangChain reference, `langchain_core.caches.BaseCache`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from langchain_core._api import LangChainBetaWarning
from langchain_core.caches import BaseCache
from langchain_core.load import dumps, loads

from lichen.hooks.kept_calls import KeptCalls
from lichen.hooks.quietly import quiet
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.outputs import Generation

__all__ = ["LichenCache"]


class LichenCache(BaseCache):
    """A cache for `set_llm_cache`, or for the `cache` of one model.

    Takes what `KeptCalls` takes: a ledger, `zone`, `upstream_zone`, `ttl` [s].
    """

    def __init__(self, *ledger: Any, **how: Any) -> None:
        self.kept = KeptCalls("langchain", *ledger, **how)

    def lookup(self, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        """The answer to a prompt by a model of these parameters, None where none serves."""
        body = self.kept.find(llm_string, prompt)
        if body is None:
            return None
        with quiet("reading an answer of langchain"), warnings.catch_warnings():
            # `loads` is called beta, and it is what LangChain's own caches use.
            warnings.simplefilter("ignore", LangChainBetaWarning)
            # LangChain's own classes and no others: what is read was written by `update`.
            answer: Sequence[Generation] = loads(body.decode(), allowed_objects="core")
            return answer
        return None

    def update(self, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        """Book what a model answered, and keep it."""
        with quiet("keeping an answer of langchain"):
            message = getattr(return_val[0], "message", None) if return_val else None
            told: Mapping[str, Any] = getattr(message, "response_metadata", None) or {}
            self.kept.keep(
                (llm_string, prompt),
                dumps(list(return_val)).encode(),
                kind="completions" if message is None else "chat.completions",
                model=str(told.get("model_name") or told.get("model") or ""),
                tokens=_tokens(getattr(message, "usage_metadata", None)),
            )

    def clear(self, **_: Any) -> None:
        """Give no answer again that was kept until now."""
        self.kept.clear()


def _tokens(usage: Mapping[str, Any] | None) -> Tokens | None:
    """Token counts of a message.

    LangChain counts cached ones within the input and reasoning within the output, whatever the
    provider.
    """
    if not usage:
        return None
    read, written = int(usage["input_tokens"]), int(usage["output_tokens"])
    cached = usage.get("input_token_details") or {}
    details = usage.get("output_token_details") or {}
    from_cache = min(int(cached.get("cache_read") or 0), read)
    to_cache = min(int(cached.get("cache_creation") or 0), read - from_cache)
    thought = min(int(details.get("reasoning") or 0), written)
    fresh = read - from_cache - to_cache
    return Tokens(fresh, from_cache, to_cache, written - thought, thought)
