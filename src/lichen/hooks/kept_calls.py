"""KeptCalls: answers that another framework made, kept and booked as the gateway keeps its own.

A framework with a cache of its own asks for an answer by what it calls one call, and gives what was
answered where there was none. Each answer given again is an entry of "calls.exact" whose baseline
is the call that paid for it; `lichen prove` runs it again. What is wrong in lichen breaks no call:
it is logged, and the framework asks its model.
"""

from __future__ import annotations

import hashlib
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lichen.hooks.quietly import quiet

if TYPE_CHECKING:
    import os

    from lichen.ledger.tokens import Tokens

__all__ = ["KeptCalls"]

_SECOND_US = 1_000_000
# A moment after all that is kept, however wrong this machine's clock was then.
_FAR = timedelta(days=36525)


class KeptCalls:
    """Answers by key, and the book they are written in.

    `framework` names whose they are; `ledger` and `zone` are as for `lichen.open`; an answer serves
    for `ttl` [s]. `upstream_zone` is where the provider's computers stand.

    Raises:
        InputError: a setting makes no sense.
        StoreUnavailable: the ledger cannot be opened.
        MissingExtra: what keeps answers is not installed.
    """

    def __init__(
        self,
        framework: str,
        ledger: str | os.PathLike[str] | None = None,
        *,
        zone: str | None = None,
        upstream_zone: str | None = None,
        ttl: float = 86400.0,
    ) -> None:
        from lichen.assemble import open_answers, open_book  # noqa: PLC0415 (on use alone)
        from lichen.calls.booking import Booker  # noqa: PLC0415
        from lichen.settings import load  # noqa: PLC0415

        where = None if ledger is None else str(ledger)
        settings = load(ledger=where, zone=zone, upstream_zone=upstream_zone)
        warn = logging.getLogger("lichen").warning
        self.book = open_book(settings, on_error=warn)
        self._answers = open_answers(settings, warn)
        self._booker = Booker(self.book, on_error=warn)
        self._zone = settings.upstream_zone or "WORLD"
        self._ttl_us = int(ttl * _SECOND_US)
        self._framework = framework
        self._tenant = hashlib.sha256(f"lichen {framework}".encode()).hexdigest()[:16]

    def find(self, *call: str) -> bytes | None:
        """The answer to a call, None where none serves; a hit is booked."""
        with quiet(f"looking for an answer of {self._framework}"):
            now_us = time.time_ns() // 1000
            stored = self._answers.find(self._key(call))
            if stored is not None and now_us < stored.expires_us:
                self._booker.hit(stored, now_us, self._tenant)
                return stored.body
        return None

    def keep(
        self, call: tuple[str, ...], body: bytes, *, kind: str, model: str, tokens: Tokens | None
    ) -> None:
        """Book a call that the framework's model answered, and keep its answer.

        Tokens that are not known are estimated by the bytes of the call and of its answer.
        """
        with quiet(f"keeping an answer of {self._framework}"):
            self._keep(call, body, (kind, model), tokens)

    def _keep(
        self, call: tuple[str, ...], body: bytes, what: tuple[str, str], tokens: Tokens | None
    ) -> None:
        from lichen.calls.booking import origin_of  # noqa: PLC0415 (on use alone)
        from lichen.calls.directives import NO_WISHES  # noqa: PLC0415
        from lichen.calls.exchange import Call, Exchange, Record  # noqa: PLC0415
        from lichen.calls.providers.openai.dialect import OPENAI  # noqa: PLC0415
        from lichen.calls.stored import Stored  # noqa: PLC0415
        from lichen.ledger.tokens import Tokens  # noqa: PLC0415

        kind, model = what
        now_us = time.time_ns() // 1000
        entry_id = self._booker.new_id(now_us)
        if entry_id is None:
            return
        asked = "\n".join(call).encode()
        exchange = Exchange("POST", "", [], asked, self._tenant, now_us, NO_WISHES)
        exchange.call = Call(kind, {}, model, False, True, True, OPENAI)  # noqa: FBT003 (its facts)
        exchange.key = self._key(call)
        record = Record(entry_id, model, now_us, self._zone, size=len(body))
        record.digest = hashlib.sha256(body).hexdigest()[:32]
        if tokens is None:
            read, written = (max(1, len(side) // 4) for side in (asked, body))
            tokens = Tokens(prefill=read, decode=0 if kind == "embeddings" else written)
            record.gaps += ("tokens-estimated",)
        record.tokens = tokens
        self._booker.upstream(exchange, record)
        origin = origin_of(exchange, record)
        if origin is not None:
            until_us = now_us + self._ttl_us
            self._answers.keep(
                Stored(exchange.key, 200, [], body, now_us, until_us, origin, self._tenant)
            )

    def _key(self, call: tuple[str, ...]) -> bytes:
        parts = (self._framework, *call)
        told = b"".join(b"%d:%b" % (len(part), part) for part in map(str.encode, parts))
        return hashlib.sha256(told).digest()

    def drop(self, *call: str) -> bool:
        """Give the answer to a call no more; whether there was one."""
        with quiet(f"dropping an answer of {self._framework}"):
            stored = self._answers.find(self._key(call))
            if stored is not None and stored.expires_us:
                stored.expires_us = 0
                self._answers.keep(stored)
                return True
        return False

    def clear(self) -> None:
        """Give no answer of this framework again that was kept until now; others' stay."""
        from lichen.calls.forget import Forget  # noqa: PLC0415 (on use alone)

        with quiet(f"clearing the answers of {self._framework}"):
            self._answers.forget(Forget(self._tenant, before=datetime.now(UTC) + _FAR))

    def close(self) -> None:
        """Write what waits."""
        self._answers.close()
        self.book.close()
