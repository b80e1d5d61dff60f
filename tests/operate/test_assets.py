"""The style sheet and the script: kept for ever, asked for once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.operate.watch.assets import SCRIPT, STYLE, asset

if TYPE_CHECKING:
    from lichen.operate.watch import Page, Watch


def get(watch: Watch, path: str, **headers: str) -> Page:
    page = watch.page(path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    assert page is not None
    return page


def test_a_file_is_kept_under_the_hash_of_its_contents(watch: Watch) -> None:
    page = get(watch, asset(STYLE).address)

    assert page.status == 200
    assert dict(page.headers)["cache-control"] == "public, max-age=31536000, immutable"
    assert dict(page.headers)["content-type"] == "text/css; charset=utf-8"
    assert dict(page.headers)["etag"].strip('"') in asset(STYLE).address


def test_a_browser_that_has_the_file_gets_no_bytes(watch: Watch) -> None:
    page = get(watch, asset(SCRIPT).address, If_None_Match=asset(SCRIPT).etag)

    assert page.status == 304
    assert page.body == b""


def test_a_browser_that_has_another_version_gets_the_file(watch: Watch) -> None:
    page = get(watch, asset(SCRIPT).address, If_None_Match='"0000000000"')

    assert page.status == 200


def test_a_file_of_another_version_is_not_there(watch: Watch) -> None:
    assert get(watch, "/assets/watch.0000000000.css").status == 404
    assert get(watch, "/assets/../watch.py").status == 404


def test_comments_and_indentation_stay_at_home() -> None:
    style, script = asset(STYLE).body.decode(), asset(SCRIPT).body.decode()

    assert "/*" not in style
    assert "\n  " not in style
    assert not [line for line in script.splitlines() if line.startswith((" ", "//"))]
