"""Every page: its weight, what guards it, and what strangers' text can do on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lichen.operate.watch.assets import SCRIPT, STYLE, asset
from lichen.testing.samples import sample_entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.operate.watch import Watch
    from tests.operate.conftest import Calls, Document, FailingStore

    Read = Callable[..., Document]

HOSTILE = "<script>alert(1)</script>\"'&"


def cells(table: str, document: Document) -> str:
    return document.one("table", id=table).text


def test_names_from_outside_are_shown_and_nothing_else(calls: Calls, read: Read) -> None:
    calls.asked(HOSTILE)

    document = read()

    assert HOSTILE in cells("models", document)
    assert HOSTILE in cells("new", document)
    assert all(
        element.attributes.get("src", "").startswith("/assets/")
        for element in document.all("script")
    )


def test_a_name_of_any_length_is_cut_to_what_a_column_holds(calls: Calls, watch: Watch) -> None:
    calls.asked("m" * 100_000)

    page = watch.page("/")

    assert page is not None
    assert len(page.body) < 30_000


def test_the_page_weighs_what_it_says(calls: Calls, watch: Watch) -> None:
    calls.asked()

    page = watch.page("/")

    assert page is not None
    weight = len(page.body) + len(asset(STYLE).body) + len(asset(SCRIPT).body)
    assert f"This page: {weight / 1000:04.1f} kB in 3 requests" in page.body.decode()


def test_a_busy_hour_stays_within_the_budget(calls: Calls, watch: Watch) -> None:
    for ago in range(60):
        for model in range(5):
            origin = calls.asked(
                f"provider/model-of-some-length-{model}", ago=ago, wh=0.123 * ago + 0.1
            )
            calls.stored(origin, ago=ago)
        calls.stored(origin, ago=ago, strategy="calls.coalesce")
        calls.add(
            sample_entry(origin.window.start, replace(origin.figures, strategy="none.sampled"))
        )
        calls.overhead(ago=ago)

    page = watch.page("/")

    assert page is not None
    assert len(page.body) + len(asset(STYLE).body) + len(asset(SCRIPT).body) <= 30_000


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(
    calls: Calls, watch: Watch, read: Read
) -> None:
    calls.asked()

    page = watch.page("/")
    document = read()

    assert page is not None
    headers = dict(page.headers)
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert not [element for element in document.elements if "style" in element.attributes]
    assert not document.all("style")
    loaded = [
        e.attributes.get("src") or e.attributes["href"]
        for e in document.all("link") + document.all("script")
    ]
    assert all(address.startswith(("/assets/", "data:")) for address in loaded)


def test_headings_go_down_one_step_at_a_time(calls: Calls, read: Read) -> None:
    calls.asked()

    levels = [e.name for e in read().elements if e.name in ("h1", "h2", "h3", "h4")]

    assert levels[0] == "h1"
    assert set(levels[1:]) == {"h2"}


def test_a_ledger_that_cannot_be_read_is_a_page_with_the_way_out(
    watch: Watch, store: FailingStore
) -> None:
    store.why = "disk I/O error"

    page = watch.page("/")

    assert page is not None
    assert page.status == 503
    assert "disk I/O error; look at the disk" in page.body.decode()


def test_other_paths_are_not_ours(watch: Watch) -> None:
    assert watch.page("/v1/models") is None
    assert watch.page("/favicon.ico") is None


def test_a_host_that_is_no_host_is_not_put_in_a_shell_command(watch: Watch) -> None:
    page = watch.page("/", headers={"host": "x;rm -rf ~"})

    assert page is not None
    assert "rm -rf" not in page.body.decode()
    assert "http://127.0.0.1:8420/v1" in page.body.decode()
