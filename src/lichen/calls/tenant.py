"""The tenant: who shows the same credential is the same, and the credential stands nowhere.

tenant = the first 64 bits of SHA-256("lichen tenant" ‖ 0 ‖ headers that hold the credential)
"""

from __future__ import annotations

import hashlib


def tenant_of(credential: bytes) -> str:
    """The hash of the credential headers of a call, each as NUL, name, "=", value."""
    return hashlib.sha256(b"lichen tenant\0" + credential).hexdigest()[:16]


def tenants_of_key(key: str) -> list[str]:
    """The tenants of a key, however it may have been shown: as each provider's clients do."""
    shown = key.strip().encode()
    headers = (
        (b"authorization", b"Bearer " + shown),
        (b"x-api-key", shown),
        (b"api-key", shown),
        (b"x-goog-api-key", shown),
    )
    return [tenant_of(b"\0%b=%b" % header) for header in headers]
