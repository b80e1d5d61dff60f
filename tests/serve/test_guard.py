"""Who may speak to the service: by host, by origin, by token."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from lichen.ledger.errors import InputError
from lichen.serve.guard import Guard
from lichen.serve.http import Request
from lichen.settings import Settings

if TYPE_CHECKING:
    from lichen.serve.connection import Connection

TOKEN = "correct-horse-battery"
OPEN = Settings(host="0.0.0.0", token=TOKEN)


def asking(
    *headers: tuple[bytes, bytes],
    host: bytes = b"127.0.0.1:8420",
    origin: bytes = b"",
    target: bytes = b"/",
) -> Request:
    """A request as the server hands it over."""
    request = Request(cast("Connection", None))
    request.host, request.origin, request.target = host, origin, target
    request.headers = list(headers)
    return request


def status(guard: Guard, request: Request) -> int:
    """With what a request is turned away; 0 where it may pass."""
    refused = guard.refusal(request)
    return refused[0] if refused is not None else 0


@pytest.mark.parametrize(
    "host",
    [b"localhost", b"localhost:8420", b"LOCALHOST", b"127.0.0.1", b"127.1.2.3:1", b"[::1]:9"],
)
def test_this_machine_may_use_a_service_on_loopback(host: bytes) -> None:
    assert status(Guard(Settings()), asking(host=host)) == 0


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"evil.example:8420",
        b"127.0.0.1.evil.example",
        b"127.evil.example",
        b"localhost.evil.example",
        b"[::2]:9",
        b"10.0.0.7",
        b"127.0.0.1@evil.example",
        b"\xff",
    ],
)
def test_a_name_that_is_not_this_machine_s_is_refused(host: bytes) -> None:
    guard = Guard(Settings())

    assert [status(guard, asking(host=host)) for _ in range(2)] == [421, 421]


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"http://127.0.0.1.evil.example", b"null"]
)
def test_a_page_of_another_site_is_refused(origin: bytes) -> None:
    assert status(Guard(Settings()), asking(origin=origin)) == 403


@pytest.mark.parametrize(
    "origin", [b"http://localhost:3000", b"http://127.0.0.1:8420", b"app://notes.example"]
)
def test_a_page_or_an_application_of_this_machine_may_pass(origin: bytes) -> None:
    assert status(Guard(Settings()), asking(origin=origin)) == 0


def test_more_names_than_are_remembered_are_still_told_apart() -> None:
    guard = Guard(Settings())
    for number in range(300):
        guard.refusal(asking(host=b"evil%d.example" % number))

    assert status(guard, asking(host=b"evil999.example")) == 421
    assert status(guard, asking(host=b"127.0.0.9")) == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::", "192.168.1.5", "gateway.example"])
def test_an_address_beyond_loopback_without_a_token_is_an_error(host: str) -> None:
    with pytest.raises(InputError, match="set LICHEN_TOKEN to a long random text"):
        Guard(Settings(host=host))


def test_a_token_that_could_be_guessed_is_an_error() -> None:
    with pytest.raises(InputError, match="has 5 characters, it needs 16"):
        Guard(Settings(token="short"))


@pytest.mark.parametrize(
    "token", ["correct horse battery", "correct-horse-battery\n", "ključ-za-prehod-123"]
)
def test_a_token_that_no_header_can_carry_is_an_error(token: str) -> None:
    with pytest.raises(InputError, match="no header can carry") as caught:
        Guard(Settings(token=token))

    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        (b"x-lichen-token", TOKEN.encode()),
        (b"authorization", b"Bearer " + TOKEN.encode()),
        (b"authorization", b"bearer " + TOKEN.encode()),
        (b"api-key", TOKEN.encode()),
        (b"x-api-key", TOKEN.encode()),
    ],
)
def test_who_shows_the_token_may_pass_and_it_goes_no_further(header: tuple[bytes, bytes]) -> None:
    request = asking((b"accept", b"*/*"), header)

    assert status(Guard(OPEN), request) == 0
    assert request.headers == [(b"accept", b"*/*")]


@pytest.mark.parametrize(
    "header",
    [
        (b"x-lichen-token", b"wrong-horse-battery"),
        (b"authorization", b"Bearer sk-a-provider-s-key"),
        (b"authorization", b"Basic " + TOKEN.encode()),
        (b"cookie", b"lichen_token=" + TOKEN.encode()),
        (b"cookie", b"lichen_token=wrong"),
        (b"x-other", TOKEN.encode()),
    ],
)
def test_who_does_not_show_the_token_may_not(header: tuple[bytes, bytes]) -> None:
    assert status(Guard(OPEN), asking(header)) == 401


def test_a_provider_s_key_beside_the_token_stays() -> None:
    key = (b"authorization", b"Bearer sk-a-provider-s-key")
    request = asking((b"x-lichen-token", TOKEN.encode()), key)

    assert status(Guard(OPEN), request) == 0
    assert request.headers == [key]


def test_the_cookie_of_the_dashboard_opens_it_and_other_cookies_stay() -> None:
    guard = Guard(OPEN)
    cookie = guard.cookie().partition(b";")[0]
    request = asking((b"cookie", b"theme=dark; " + cookie))

    assert status(guard, request) == 0
    assert request.headers == [(b"cookie", b"theme=dark")]


def test_the_cookie_is_out_of_reach_of_scripts_and_sites_and_is_not_the_token() -> None:
    cookie = Guard(OPEN).cookie()

    assert TOKEN.encode() not in cookie
    assert b"HttpOnly" in cookie
    assert b"SameSite=Strict" in cookie


def test_the_token_in_a_query_signs_a_browser_in() -> None:
    guard = Guard(OPEN)

    assert guard.asked_in_query(asking(target=b"/?token=" + TOKEN.encode()))
    assert not guard.asked_in_query(asking(target=b"/?token=wrong"))
    assert not guard.asked_in_query(asking(target=b"/"))


def test_without_a_token_no_query_signs_anybody_in() -> None:
    assert not Guard(Settings()).asked_in_query(asking(target=b"/?token="))


def test_with_a_token_any_host_name_will_do() -> None:
    request = asking((b"x-lichen-token", TOKEN.encode()), host=b"gateway.example")

    assert status(Guard(OPEN), request) == 0
