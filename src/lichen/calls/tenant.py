"""The tenant: who shows the same credential is the same, and the credential stands nowhere.

tenant = the first 64 bits of SHA-256("lichen tenant" ‖ 0 ‖ headers that hold a credential)
payer  = the same of the one header that the provider reads, however it is written

Answers go by the tenant: whoever shows other credentials, in whichever header, is another. Budgets
and shares go by the payer: a second header that nobody reads must not make a new one. Of a call
that shows one credential, as every client does, they are the same. Where lichen's own key goes to
the upstream nobody checks the callers' credentials, so that they say nothing of who pays: all who
may use the service (with its token, where it has one) are one payer (`Layers.payer`).
"""

from __future__ import annotations

import hashlib


def tenant_of(credential: bytes) -> str:
    """The hash of the credential headers of a call, each as NUL, name, "=", value."""
    return hashlib.sha256(b"lichen tenant\0" + credential).hexdigest()[:16]


# Where each provider looks for a credential, in order.
# Source: OpenAI, Azure OpenAI, Anthropic and Gemini API references, "Authentication".
_READ = {
    "openai": (b"authorization", b"api-key"),
    "anthropic": (b"x-api-key", b"authorization"),
    "gemini": (b"x-goog-api-key", b"authorization"),
}


def payer_of(credential: bytes, provider: str) -> str:
    """Who pays for a call, of all its credential headers; the tenant where none is the provider's.

    A scheme counts in any case of letters, and white space does not.
    """
    shown: dict[bytes, bytes] = {}
    for header in credential.split(b"\0")[1:]:
        name, _, value = header.partition(b"=")
        shown.setdefault(name, value)
    for name in _READ.get(provider, ()):
        words = shown.get(name, b"").split()
        if words:
            if name == b"authorization" and words[0].lower() == b"bearer":
                words[0] = b"Bearer"
            return tenant_of(b"\0%b=%b" % (name, b" ".join(words)))
    return tenant_of(credential)


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
