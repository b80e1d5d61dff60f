"""Keyring: the credentials of callers whose calls wait, in memory alone.

A call that is sent later needs its caller's key. It is never written down: after a restart the
calls wait until the caller shows the key again, by any call, or lichen holds one of its own. Who
shows the same credential is the same tenant, so that no key ever goes with another tenant's call.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lichen.calls.exchange import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lichen.calls.exchange import Exchange, Headers

# How long a call may be on its way into the queue. [s]
_NEW_S = 60.0


class Keyring:
    """Credentials by tenant."""

    def __init__(self) -> None:
        self._wanted: set[str] = set()
        self._held: dict[str, Headers] = {}
        self._taken: dict[str, float] = {}

    def want(self, tenants: Iterable[str]) -> None:
        """These tenants have calls that wait: keep their credential when they show it next."""
        # A call whose credential was just taken may not be in the queue yet.
        new = time.monotonic() - _NEW_S
        self._taken = {tenant: at for tenant, at in self._taken.items() if at > new}
        wanted = set(tenants) | self._taken.keys()
        self._wanted = wanted
        for tenant in self._held.keys() - wanted:
            del self._held[tenant]

    def see(self, exchange: Exchange) -> bool:
        """Look at a call that comes by; whether it showed a credential that was missing."""
        tenant = exchange.tenant
        if tenant not in self._wanted or tenant in self._held:
            return False
        return self.take(exchange)

    def take(self, exchange: Exchange) -> bool:
        """Keep the credential of a call that is to wait; whether it has one."""
        shown = [pair for pair in exchange.headers if pair[0] in CREDENTIALS]
        if not shown:
            return False
        self._wanted.add(exchange.tenant)
        self._held[exchange.tenant] = shown
        self._taken[exchange.tenant] = time.monotonic()
        return True

    def of(self, tenant: str) -> Headers:
        """The credential of a tenant; empty where it is not at hand."""
        return self._held.get(tenant, [])

    def drop(self, tenant: str) -> None:
        """Let go of a credential that the upstream refused."""
        self._held.pop(tenant, None)

    def tenants(self) -> list[str]:
        """Tenants whose credential is at hand."""
        return sorted(self._held)
