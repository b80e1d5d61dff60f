"""One source's address: what is asked, what is quoted, how long it is left alone."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lichen.grid.refusal import Refused
from lichen.grid.shelf import Shelf
from lichen.grid.web import LEFT_ALONE, Web
from lichen.ledger.errors import InputError, SignalUnavailable
from lichen.testing.grid_api import Answer, GridApi
from lichen.testing.live_grids import Clock
from tests.grid.asking import NOW

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api() -> Iterator[GridApi]:
    with GridApi(lambda _: Answer(body="fine")) as api:
        yield api


@pytest.mark.parametrize("url", ["", "api.example.org", "file:///etc/passwd", "ftp://x", "http://"])
def test_an_address_is_http(url: str) -> None:
    with pytest.raises(InputError, match="must begin with https://"):
        Web("x", url)


def test_parameters_are_escaped_and_the_agent_says_who_asks(api: GridApi) -> None:
    Web("x", f"{api.url}/").get("it", "/path", {"a[]": "1&2=3"})

    (asked,) = api.asked
    assert (asked.path, asked.params) == ("/path", {"a[]": "1&2=3"})
    assert asked.headers["user-agent"].startswith("lichen")


def test_what_a_server_says_is_quoted_short_and_without_control_characters(api: GridApi) -> None:
    web = Web("x", api.url)
    web.secrets = ("hush",)
    api.trouble = Answer(500, "\x1b[31mno\r\nhush " + "y" * 500)

    with pytest.raises(Refused) as refused:
        web.get("it", "/")

    assert "\x1b" not in str(refused.value)
    assert "hush" not in str(refused.value)
    assert len(refused.value.why) < 200


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("90", timedelta(seconds=90)),
        ("0", timedelta(0)),
        ("", LEFT_ALONE),
        ("soon", LEFT_ALONE),
        ("-5", LEFT_ALONE),
        ("999999999999999999999", timedelta(days=1)),
        ("Fri, 20 Nov 2026 12:09:00 GMT", timedelta(minutes=2)),
        ("Fri, 20 Nov 2020 12:09:00 GMT", timedelta(0)),
        ("Fri, 20 Nov 2099 12:09:00 GMT", timedelta(days=1)),
    ],
)
def test_retry_after_is_kept_to_the_second(api: GridApi, header: str, waited: timedelta) -> None:
    clock = Clock(NOW)
    web = Web("x", api.url, clock=clock)
    api.trouble = Answer(429, headers={"Retry-After": header})
    with pytest.raises(Refused):
        web.get("it", "/")
    api.trouble = None

    clock.now = max(NOW, NOW + waited - timedelta(seconds=1))
    before = bool(web.held())
    clock.now = NOW + waited
    after = web.get("it", "/")

    assert before is (waited > timedelta(0))
    assert after.body == b"fine"


def test_the_wait_is_kept_by_another_process(api: GridApi, tmp_path: Path) -> None:
    api.trouble = Answer(429, headers={"Retry-After": "60"})
    with pytest.raises(Refused):
        Web("x", api.url, shelf=Shelf(tmp_path), clock=Clock(NOW)).get("it", "/")

    other = Web("x", api.url, shelf=Shelf(tmp_path), clock=Clock(NOW + timedelta(seconds=59)))

    with pytest.raises(Refused, match="not asked before 2026-11-20 12:08:00 UTC"):
        other.get("it", "/")
    assert len(api.asked) == 1


def test_a_wait_that_a_wrong_clock_wrote_down_holds_nobody(api: GridApi, tmp_path: Path) -> None:
    api.trouble = Answer(429, headers={"Retry-After": "60"})
    wrong = Clock(NOW + timedelta(days=4000))
    with pytest.raises(Refused):
        Web("x", api.url, shelf=Shelf(tmp_path), clock=wrong).get("it", "/")
    api.trouble = None

    assert Web("x", api.url, shelf=Shelf(tmp_path), clock=Clock(NOW)).get("it", "/").body


def test_an_answer_without_end_is_refused(api: GridApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lichen.grid.web._LARGEST", 100)
    api.trouble = Answer(body="x" * 101)

    with pytest.raises(Refused, match="longer than 100 bytes"):
        Web("x", api.url).get("it", "/")


def test_a_status_of_the_question_leaves_the_source_in_use(api: GridApi) -> None:
    web = Web("x", api.url)
    api.trouble = Answer(404, "no such zone")
    with pytest.raises(SignalUnavailable, match="answered 404: no such zone") as refused:
        web.get("it", "/")

    assert not isinstance(refused.value, Refused)
    assert web.held() == ""


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_question_that_was_denied_is_not_repeated_for_minutes_and_another_is_asked(
    api: GridApi, status: int
) -> None:
    clock = Clock(NOW)
    web = Web("x", api.url, clock=clock)
    api.trouble = Answer(status, "not in your plan")
    with pytest.raises(SignalUnavailable):
        web.get("it", "/", {"year": "2019"})
    api.trouble = None

    with pytest.raises(SignalUnavailable, match="not in your plan"):
        web.get("it", "/", {"year": "2019"})
    other = web.get("it", "/", {"year": "2026"})
    clock.now += LEFT_ALONE
    later = web.get("it", "/", {"year": "2019"})

    assert (other.body, later.body) == (b"fine", b"fine")
    assert len(api.asked) == 3


def test_threads_ask_at_once(api: GridApi) -> None:
    web = Web("x", api.url)
    got: list[bytes] = []

    def ask() -> None:
        got.append(web.get("it", "/").body)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got == [b"fine"] * 16
