"""Addresses: where the providers are that have dialects of their own, and how they want a key.

OpenAI is where the setting `upstream` says; many services speak as it does.

Source: Anthropic API reference, "Authentication"; Gemini API reference, "Authentication".
"""

from __future__ import annotations

from typing import NamedTuple


class Address(NamedTuple):
    """A provider's own service, and the header that carries its key."""

    url: str
    header: str


PROVIDERS = {
    "anthropic": Address("https://api.anthropic.com", "x-api-key"),
    "gemini": Address("https://generativelanguage.googleapis.com", "x-goog-api-key"),
}
