"""Tenant and payer: answers go by all that is shown, budgets by the one credential that counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.tenant import payer_of, tenant_of, tenants_of_key

BEARER = b"\0authorization=Bearer sk-one"


@pytest.mark.parametrize(
    ("provider", "shown"),
    [
        ("openai", BEARER),
        ("openai", b"\0api-key=sk-one"),
        ("anthropic", b"\0x-api-key=sk-one"),
        ("gemini", b"\0x-goog-api-key=sk-one"),
    ],
)
def test_a_client_that_shows_one_credential_pays_as_its_tenant(provider: str, shown: bytes) -> None:
    assert payer_of(shown, provider) == tenant_of(shown)
    assert payer_of(shown, provider) in tenants_of_key("sk-one")


@given(st.binary(max_size=40).map(lambda junk: junk.replace(b"\0", b"")))
def test_what_the_provider_does_not_read_changes_the_tenant_and_not_the_payer(junk: bytes) -> None:
    both = BEARER + b"\0x-api-key=" + junk

    assert payer_of(both, "openai") == payer_of(BEARER, "openai")
    assert tenant_of(both) != tenant_of(BEARER)


@pytest.mark.parametrize("written", [b"bearer sk-one", b"Bearer  sk-one", b" BEARER sk-one "])
def test_a_credential_is_one_however_it_is_written(written: bytes) -> None:
    assert payer_of(b"\0authorization=" + written, "openai") == payer_of(BEARER, "openai")


def test_where_the_provider_s_own_is_missing_all_count() -> None:
    assert payer_of(b"\0x-api-key=k", "openai") == tenant_of(b"\0x-api-key=k")
    assert payer_of(b"", "openai") == tenant_of(b"")
