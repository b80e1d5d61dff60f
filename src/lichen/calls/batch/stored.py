"""Stored: what of a call's headers and query, and of its answer's, is written down while it waits.

    known, and the answer may depend on it      stored, and sent again
    says something of one connection or hop     left out: it says nothing to the upstream
    a credential in a place that lichen knows   left out here, and kept in memory (keyring)
    anything else                               the call is refused, before anything is stored

    of an answer, known and told to its caller  stored until it is fetched
    of an answer, anything else                 left out: set-cookie and the like

A name does not tell whether a header holds a secret: services take them as x-vault, x-pat or x-sid.
So no list of bad names is kept, but one of good ones, which `[batch] headers` and `[batch] query`
lengthen.

Source: RFC 9110, 8594 and 9745; W3C Trace Context; the own headers of the official clients of
OpenAI, Anthropic and Gemini, and of Azure OpenAI; the manuals of Cloudflare, AWS ELB, Azure Front
Door, nginx, Envoy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lichen.calls.exchange import CREDENTIALS
from lichen.calls.hops import hop_by_hop
from lichen.ledger.errors import LichenError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.calls.exchange import Headers

KEY = b"idempotency-key"
# What the answer may depend on, or by which people find a call again.
_KEPT = frozenset(
    (
        b"accept",
        b"accept-language",
        b"anthropic-beta",
        b"anthropic-dangerous-direct-browser-access",
        b"anthropic-version",
        b"cache-control",
        b"content-type",
        b"openai-beta",
        b"openai-organization",
        b"openai-project",
        b"openai-version",
        b"pragma",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"x-client-request-id",
        b"x-correlation-id",
        b"x-goog-api-client",
        b"x-goog-request-params",
        b"x-goog-user-project",
        b"x-lichen-compress",
        b"x-ms-client-request-id",
        b"x-ms-useragent",
        b"x-request-id",
        b"x-server-timeout",
    )
)
_KEPT_BEGIN = (b"x-stainless-",)
# What browsers, load balancers and tracers add on the way; of a service in front of lichen that
# signs people in, what it found out about them.
_PASSED_OVER = frozenset(
    (
        b"accept-encoding",
        b"b3",
        b"baggage",
        b"cdn-loop",
        b"cf-access-authenticated-user-email",
        b"cf-access-jwt-assertion",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-ew-via",
        b"cf-ipcountry",
        b"cf-pseudo-ipv4",
        b"cf-ray",
        b"cf-visitor",
        b"cf-warp-tag-id",
        b"cf-worker",
        b"content-encoding",
        b"date",
        b"dnt",
        b"elastic-apm-traceparent",
        b"forwarded",
        b"newrelic",
        b"origin",
        b"priority",
        b"referer",
        b"sentry-trace",
        b"true-client-ip",
        b"uber-trace-id",
        b"upgrade-insecure-requests",
        b"via",
        b"x-amzn-trace-id",
        b"x-azure-clientip",
        b"x-azure-fdid",
        b"x-azure-ref",
        b"x-azure-requestchain",
        b"x-azure-socketip",
        b"x-client-ip",
        b"x-cloud-trace-context",
        b"x-cluster-client-ip",
        b"x-original-forwarded-for",
        b"x-original-host",
        b"x-original-uri",
        b"x-original-url",
        b"x-real-ip",
        b"x-request-start",
        b"x-scheme",
    )
)
_PASSED_OVER_BEGIN = (
    b"sec-",
    b"x-amzn-oidc-",
    b"x-b3-",
    b"x-datadog-",
    b"x-envoy-",
    b"x-forwarded-",
    b"x-lichen-",
)
# Which version of an API answers, and in which form. Source: Azure OpenAI, Anthropic and Gemini
# (Google APIs, "System parameters") references.
_QUERY = frozenset(("alt", "$alt", "api-version", "beta", "prettyPrint", "$prettyPrint"))
# Never stored, whatever the settings say.
_SECRET = CREDENTIALS | {b"cookie", b"set-cookie", b"proxy-authorization", b"x-lichen-token"}
# Of an answer: what its body is, how to find it at the provider, and what is left of limits.
# Source: OpenAI, Anthropic, Gemini and Azure OpenAI API references, "Response headers", 2026-11.
_TOLD = frozenset(
    (
        b"apim-request-id",
        b"anthropic-organization-id",
        b"cf-ray",
        b"content-encoding",
        b"content-language",
        b"content-type",
        b"date",
        b"deprecation",
        b"openai-model",
        b"openai-organization",
        b"openai-processing-ms",
        b"openai-project",
        b"openai-version",
        b"request-id",
        b"retry-after",
        b"retry-after-ms",
        b"server-timing",
        b"sunset",
        b"traceparent",
        b"warning",
        b"x-correlation-id",
        b"x-ms-client-request-id",
        b"x-ms-region",
        b"x-request-id",
        b"x-should-retry",
    )
)
_TOLD_BEGIN = (b"anthropic-ratelimit-", b"x-lichen-", b"x-ratelimit-")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Unstorable(LichenError):  # noqa: N818 (named for what it is)
    """Something of a call may be a secret, and would have to be written down."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def header_names(given: tuple[str, ...]) -> tuple[str, ...]:
    """Names of headers as the setting gives them, in small letters.

    Raises:
        ValueError: one can be no header's name, or is where clients put their credentials.
    """
    names = tuple(name.strip().lower() for name in given)
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} can be no header's name")
        if name.encode() in _SECRET:
            raise ValueError(f"{name} holds a credential, and none is ever written down")
    return names


def stored_headers(headers: Headers, also: Sequence[str] = ()) -> Headers:
    """The headers of a call that are stored with it; `also` are further harmless ones.

    Raises:
        Unstorable: one of them is not known to be harmless.
    """
    never = hop_by_hop(headers) | CREDENTIALS | {KEY}
    kept_too = _KEPT | {name.encode() for name in also}
    kept = []
    for pair in headers:
        name = pair[0]
        if name in never:
            continue
        if name in kept_too or name.startswith(_KEPT_BEGIN):
            kept.append(pair)
        elif name not in _PASSED_OVER and not name.startswith(_PASSED_OVER_BEGIN):
            shown = name.decode("latin-1")
            raise Unstorable(
                f"the header {shown!r} is none that lichen knows to be harmless, and a call that "
                "waits is stored with its headers: leave it out, or send the call without waiting. "
                f"If it never holds a secret, name it in the settings of the service: "
                f'[batch] headers = ["{shown}"], or LICHEN_BATCH_HEADERS',
                "header_would_be_stored",
            )
    return kept


def answered_headers(headers: Headers, also: Sequence[str] = ()) -> Headers:
    """The headers of an answer that are stored with it; `also` are further harmless ones."""
    never = hop_by_hop(headers) | _SECRET
    kept = _TOLD | {name.encode() for name in also}
    return [
        pair
        for pair in headers
        if pair[0] not in never and (pair[0] in kept or pair[0].startswith(_TOLD_BEGIN))
    ]


def check_query(target: str, also: Sequence[str] = ()) -> None:
    """Nothing, where all in the query of a call is known to be harmless; `also` are further names.

    Raises:
        Unstorable: a field of it is not.
    """
    for field in target.partition("?")[2].split("&"):
        name = field.partition("=")[0]
        if field and name not in _QUERY and name not in also:
            raise Unstorable(
                f"{name!r} in the address's query is nothing that lichen knows to be harmless, and "
                "a call that waits is stored with its address: leave it out, send a key in a "
                "header (Authorization, x-api-key, x-goog-api-key), or send the call without "
                "waiting. If it never holds a secret, name it in the settings of the service: "
                f'[batch] query = ["{name}"], or LICHEN_BATCH_QUERY',
                "query_would_be_stored",
            )
