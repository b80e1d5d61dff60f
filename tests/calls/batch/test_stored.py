"""Stored: what of a call's headers and query is written down, and what is refused before it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.batch.stored import Unstorable, answered_headers, header_names, stored_headers
from lichen.ledger.errors import InputError
from lichen.settings import load
from lichen.testing.callers import request

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.testing.callers import HeardRequest, House
    from tests.calls.conftest import Build

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
    "temperature": 0,
}
CLAUDE: dict[str, Any] = {**CHAT, "max_tokens": 5}
SECRET = "hunter2-very-secret"
# Where services of all kinds take a secret; no word in most of them says so.
ELSEWHERE = (
    "cf-access-client-secret",
    "cf-aig-authorization",
    "cookie",
    "helicone-auth",
    "jwt",
    "openai-sentinel-token",
    "x-account-pin",
    "x-amz-security-token",
    "x-bearer",
    "x-csrf",
    "x-goog-iam-authorization-token",
    "x-hmac",
    "x-internal",
    "x-my-pass",
    "x-otp",
    "x-pat",
    "x-portkey-config",
    "x-portkey-virtual-key",
    "x-session",
    "x-sid",
    "x-signature",
    "x-user-pw",
    "x-vault",
)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def left(house: House, body: dict[str, Any] = CHAT, **how: Any) -> HeardRequest:
    return await house.ask(body, x_lichen_defer="6h", **how)


@pytest.mark.parametrize("name", ELSEWHERE)
async def test_a_header_that_nobody_knows_is_refused_before_anything_is_written(
    build: Build, tmp_path: Path, name: str
) -> None:
    house = build(ledger=str(tmp_path / "book.db"))
    shown: Any = {name: SECRET}

    heard = await left(house, **shown)
    listed = await house.ask(b"", method=b"GET", target=b"/v1/lichen/deferred")
    await house.gateway.layers.close()

    assert (heard.status, heard.json["error"]["code"]) == (400, "header_would_be_stored")
    assert f'[batch] headers = ["{name}"]' in heard.json["error"]["message"]
    assert SECRET not in heard.json["error"]["message"]
    assert listed.json["data"] == []
    assert SECRET.encode() not in on_disk(tmp_path)


async def test_a_refusal_has_the_shape_of_the_provider_asked(build: Build, tmp_path: Path) -> None:
    house = build(ledger=str(tmp_path / "book.db"))

    heard = await left(house, CLAUDE, target=b"/v1/messages", x_vault=SECRET)
    await house.gateway.layers.close()

    assert heard.status == 400
    assert (heard.json["type"], heard.json["error"]["type"]) == ("error", "invalid_request_error")
    assert "x-vault" in heard.json["error"]["message"]


async def test_a_batch_is_not_begun_with_a_header_that_nobody_knows(
    build: Build, tmp_path: Path
) -> None:
    house = build(ledger=str(tmp_path / "book.db"), batch={"enabled": "on"})
    form = (
        b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n{}\r\n--b--\r\n'
    )
    made = request(form, target=b"/v1/files")
    made.headers[0] = (b"content-type", b"multipart/form-data; boundary=b")
    answering = house.gateway.handle(made)
    assert answering is not None
    await answering
    asked = {
        "input_file_id": made.json["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }

    heard = await house.ask(asked, target=b"/v1/batches", x_vault=SECRET)
    await house.gateway.layers.close()

    assert (heard.status, heard.json["error"]["code"]) == (400, "header_would_be_stored")
    assert SECRET.encode() not in on_disk(tmp_path)


async def test_a_header_that_the_settings_name_is_stored(build: Build, tmp_path: Path) -> None:
    told = {"headers": "X-Team, x-tier", "query": "region"}
    house = build(ledger=str(tmp_path / "book.db"), batch=told)

    heard = await left(house, x_team="blue", target=b"/v1/chat/completions?region=north")
    await house.gateway.layers.close()

    assert heard.status == 202
    assert b"blue" in on_disk(tmp_path)


@pytest.mark.parametrize("name", ["authorization", "X-Api-Key", "cookie", "x-lichen-token", "a b"])
def test_the_settings_cannot_name_what_holds_credentials(name: str) -> None:
    with pytest.raises(InputError, match="headers in \\[batch\\]"):
        load(environ={}, batch={"headers": [name]})


def test_what_the_way_added_is_left_out_and_what_the_provider_reads_is_kept() -> None:
    way = [
        (b"host", b"localhost"),
        (b"connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"content-length", b"7"),
        (b"accept-encoding", b"gzip"),
        (b"authorization", b"Bearer sk"),
        (b"idempotency-key", b"one"),
        (b"x-lichen-defer", b"6h"),
        (b"x-lichen-project", b"secret project"),
        (b"forwarded", b"for=192.0.2.1"),
        (b"via", b"1.1 proxy"),
        (b"x-forwarded-for", b"192.0.2.1"),
        (b"x-forwarded-proto", b"https"),
        (b"x-real-ip", b"192.0.2.1"),
        (b"cf-ray", b"1-ARN"),
        (b"cf-connecting-ip", b"192.0.2.1"),
        (b"cf-access-jwt-assertion", b"eyJ"),
        (b"x-amzn-trace-id", b"Root=1"),
        (b"x-amzn-oidc-data", b"eyJ"),
        (b"x-b3-traceid", b"1"),
        (b"sec-fetch-mode", b"cors"),
    ]
    told = [
        (b"content-type", b"application/json"),
        (b"accept", b"application/json"),
        (b"user-agent", b"OpenAI/Python 2"),
        (b"openai-organization", b"org"),
        (b"openai-project", b"proj"),
        (b"anthropic-version", b"2023-06-01"),
        (b"anthropic-beta", b"a,b"),
        (b"x-stainless-retry-count", b"0"),
        (b"x-goog-api-client", b"genai"),
        (b"x-server-timeout", b"600"),
        (b"traceparent", b"00-1-2-01"),
        (b"x-request-id", b"r"),
        (b"cache-control", b"no-store"),
    ]

    assert stored_headers([*way, *told]) == told


@given(st.from_regex(r"[kqz][a-z0-9-]{0,20}", fullmatch=True))
def test_no_name_that_is_made_up_is_ever_stored(name: str) -> None:
    with pytest.raises(Unstorable, match=f"'{name}'"):
        stored_headers([(name.encode(), SECRET.encode())])


def test_of_an_answer_only_what_is_known_to_be_harmless_is_kept() -> None:
    kept = [
        (b"content-type", b"application/json"),
        (b"content-encoding", b"gzip"),
        (b"x-request-id", b"req_1"),
        (b"request-id", b"req_2"),
        (b"x-ratelimit-remaining-tokens", b"9"),
        (b"anthropic-ratelimit-tokens-limit", b"9"),
        (b"openai-processing-ms", b"5"),
        (b"x-lichen-cache", b"miss"),
    ]
    others = [
        (b"set-cookie", b"session=secret"),
        (b"x-lichen-token", b"secret"),
        (b"connection", b"x-request-idle"),
        (b"transfer-encoding", b"chunked"),
        (b"x-session", b"secret"),
        (b"authorization", b"secret"),
        (b"server", b"cloudflare"),
    ]

    assert answered_headers([*kept, *others]) == kept
    assert answered_headers([*kept, *others], ("server",)) == [*kept, others[-1]]


@pytest.mark.parametrize("name", ["set-cookie", "Authorization", "x-lichen-token"])
def test_no_setting_lets_a_secret_be_kept_of_an_answer(name: str) -> None:
    with pytest.raises(ValueError, match="holds a credential"):
        header_names((name,))
