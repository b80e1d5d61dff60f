"""LiteLLM: every call it makes, metered and in lichen's book.

    litellm.callbacks = [LichenLogger("lichen.db", zone="SE-SE3")]

It hears of each call when it has ended: tokens as LiteLLM normalised them, the model, and whether
LiteLLM's own cache answered. An answer of that cache used nothing; what it spared is not claimed,
since the call that paid for it is not named. Failures are gaps. No prompt is read.

Source: LiteLLM documentation, "Custom callbacks".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from litellm.integrations.custom_logger import CustomLogger

from lichen.hooks.quietly import quiet
from lichen.ledger.entry import NONE, Entry, Figures
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work

if TYPE_CHECKING:
    import os
    from datetime import datetime

__all__ = ["LichenLogger"]

# Calls that LiteLLM's own cache answered.
CACHED = "none.litellm-cache"
_UNKNOWN = "unknown/1"


class LichenLogger(CustomLogger):
    """A callback for `litellm.callbacks`.

    `ledger` and `zone` are as for `lichen.open`; `upstream_zone` is where the providers' computers
    stand.

    Raises:
        StoreUnavailable: the ledger cannot be opened.
    """

    def __init__(
        self,
        ledger: str | os.PathLike[str] | None = None,
        *,
        zone: str | None = None,
        upstream_zone: str = "WORLD",
    ) -> None:
        from lichen.assemble import open as open_book  # noqa: PLC0415 (on use alone)

        super().__init__()
        self.book = open_book(ledger, zone=zone)
        self._zone = upstream_zone

    def log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """Book a call that was answered."""
        with quiet("booking a call of litellm"):
            cached = bool(kwargs.get("cache_hit"))
            tokens = None if cached else _tokens(getattr(response_obj, "usage", None))
            model = str(getattr(response_obj, "model", "") or kwargs.get("model") or "")
            kind = str(kwargs.get("call_type") or "completion")
            self._add(self._figures(kind, model, tokens, cached=cached), start_time, end_time)

    def log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """Count a call that failed: what it used, if anything, is not known."""
        del response_obj
        with quiet("booking a call of litellm"):
            model = str(kwargs.get("model") or "")
            figures = self._unknown(str(kwargs.get("call_type") or "completion"), model, 0)
            self._add(figures, start_time, end_time)

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """As `log_success_event`."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """As `log_failure_event`."""
        self.log_failure_event(kwargs, response_obj, start_time, end_time)

    def _figures(self, kind: str, model: str, tokens: Tokens | None, *, cached: bool) -> Figures:
        if tokens is None and not cached:
            return self._unknown(kind, model, 1)
        made, gaps, calls = Footprint.zero(), tuple[str, ...](), self.book.pricer.calls
        if tokens is not None:
            reading = calls.read(model, tokens)
            made, gaps = self.book.pricer.footprint(reading, self._zone, time.time_ns() // 1000)
        return Figures(
            name=kind,
            strategy=CACHED if cached else NONE,
            work=Work(1, "request"),
            footprint=made,
            method=calls.method,
            factors=calls.factors,
            zone=self._zone,
            model=model,
            tokens=tokens or Tokens(),
            gaps=gaps,
        )

    def _unknown(self, kind: str, model: str, work: int) -> Figures:
        return Figures(
            name=kind,
            strategy=NONE,
            work=Work(work, "request"),
            footprint=Footprint.zero(),
            method=_UNKNOWN,
            factors="",
            zone=self._zone,
            model=model,
            gaps=("tokens-unknown" if work else "upstream-failed:litellm",),
        )

    def _add(self, figures: Figures, start: datetime, end: datetime) -> None:
        start_us, end_us = (int(moment.timestamp() * 1e6) for moment in (start, end))
        self.book.add(Entry(new_id(start_us), start_us, max(start_us, end_us), "", figures))


def _tokens(usage: Any) -> Tokens | None:
    """Token counts as LiteLLM has them for every provider: OpenAI's way, cached ones within."""
    if usage is None:
        return None
    read, written = int(usage.prompt_tokens or 0), int(getattr(usage, "completion_tokens", 0) or 0)
    cached = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None) or 0
    made = getattr(usage, "cache_creation_input_tokens", None) or 0
    details = getattr(usage, "completion_tokens_details", None)
    thought = min(int(getattr(details, "reasoning_tokens", None) or 0), written)
    from_cache = min(int(cached), read)
    to_cache = min(int(made), read - from_cache)
    fresh = read - from_cache - to_cache
    return Tokens(fresh, from_cache, to_cache, written - thought, thought)
