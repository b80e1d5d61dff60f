"""LiveContract: what every live source of carbon intensity keeps, whatever its server does.

    class TestMyGrid(LiveContract):
        source_type = MyGrid
        credentials = ("a-secret",)

        @pytest.fixture
        def answer(self) -> Callable[[Question], Answer]:
            return my_api

        @pytest.fixture
        def window(self) -> Window:
            return Window(start, end, "DE")

`my_api` answers as the real API does, at the time `clock` says. A source that forecasts keeps
`lichen.testing.live_forecasts.LiveForecastContract` instead.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, ClassVar

import pytest

from lichen.grid.shelf import Shelf
from lichen.grid.web import Web
from lichen.ledger.errors import SignalUnavailable
from lichen.ledger.window import Window
from lichen.testing.grid_api import Answer, GridApi, Question
from lichen.testing.grids import IntensityContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lichen.grid.live import LiveSource

# Long enough for a server on loopback, short enough to wait for.
_TIMEOUT_S = 2.0
_SHORT_S = 0.3
_PATIENCE_S = 1.5
_HOUR = timedelta(hours=1)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now


class LiveContract(IntensityContract):
    """The laws of a live source; inherit it and give `answer` and `window`."""

    source_type: ClassVar[type[LiveSource]]
    credentials: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def answer(self, clock: Clock) -> Callable[[Question], Answer]:
        """The API that the source speaks with."""
        raise NotImplementedError("give a function that answers as the API does")

    @pytest.fixture
    def clock(self) -> Clock:
        """The time as the source and its API see it."""
        return Clock(datetime(2026, 11, 20, 12, 7, tzinfo=UTC))

    @pytest.fixture
    def api(self, answer: Callable[[Question], Answer]) -> Iterator[GridApi]:
        """The API on loopback."""
        with GridApi(answer) as api:
            yield api

    @pytest.fixture
    def remake(self, api: GridApi, clock: Clock, tmp_path: Path) -> Callable[[float], LiveSource]:
        """Makes the source anew, as another process would, over the same folder."""

        def made(timeout: float = _TIMEOUT_S) -> LiveSource:
            shelf = Shelf(tmp_path / "shelf")
            name = self.source_type.name
            web = Web(name, api.url, shelf=shelf, timeout=timeout, clock=clock)
            return self.source_type(web, *self.credentials)

        return made

    @pytest.fixture
    def source(self, remake: Callable[[float], LiveSource]) -> LiveSource:
        """The source under test."""
        return remake(_TIMEOUT_S)

    def test_what_was_is_asked_once(self, source: LiveSource, window: Window, api: GridApi) -> None:
        """An answer is kept."""
        source.intensity(window.zone, window)
        asked = len(api.asked)

        source.intensity(window.zone, window)

        assert asked > 0
        assert len(api.asked) == asked

    def test_another_process_finds_the_answer(
        self, remake: Callable[[float], LiveSource], window: Window, api: GridApi
    ) -> None:
        """It is kept on disk."""
        first = remake(_TIMEOUT_S).intensity(window.zone, window)
        asked = len(api.asked)

        second = remake(_TIMEOUT_S).intensity(window.zone, window)

        assert second == first
        assert len(api.asked) == asked

    def test_what_has_not_been_is_no_matter_of_intensity(
        self, source: LiveSource, window: Window, clock: Clock, api: GridApi
    ) -> None:
        """A forecast is asked for as one."""
        ahead = Window(clock.now + _HOUR, clock.now + 2 * _HOUR, window.zone)

        with pytest.raises(SignalUnavailable, match="ask for the forecast"):
            source.intensity(window.zone, ahead)

        assert api.asked == []

    def test_a_credential_stands_in_no_error_and_no_file(
        self, source: LiveSource, window: Window, api: GridApi, tmp_path: Path
    ) -> None:
        """Even where a server repeats it."""
        source.intensity(window.zone, window)
        older = Window(window.start - timedelta(days=40), window.start - timedelta(days=39), "")
        api.trouble = lambda asked: Answer(
            403, f"{' '.join(self.credentials)} {dict(asked.params)} {dict(asked.headers)}"
        )

        with pytest.raises(SignalUnavailable) as refused:
            source.intensity(window.zone, older)

        told = f"{refused.value} {refused.value.__cause__} {vars(refused.value)}"
        files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        for secret in self.credentials:
            assert secret not in told
            assert all(secret not in text for text in files)

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_credential_says_which_and_the_way_out(
        self, source: LiveSource, window: Window, api: GridApi, status: int
    ) -> None:
        """It is the user who can mend it."""
        api.trouble = Answer(status, "no")

        with pytest.raises(SignalUnavailable, match=f"answered {status}") as refused:
            source.intensity(window.zone, window)

        assert source.name in refused.value.mend

    def test_a_silent_server_ends_within_the_time_limit(
        self, remake: Callable[[float], LiveSource], window: Window, api: GridApi
    ) -> None:
        """Nothing hangs."""
        source = remake(_SHORT_S)
        api.trouble = Answer(delay=30.0)
        began = time.monotonic()

        with pytest.raises(SignalUnavailable, match="no answer within"):
            source.intensity(window.zone, window)

        assert time.monotonic() - began < _PATIENCE_S

    def test_a_server_that_drips_ends_within_the_time_limit(
        self, remake: Callable[[float], LiveSource], window: Window, api: GridApi
    ) -> None:
        """A byte now and then does not keep us."""
        source = remake(_SHORT_S)
        api.trouble = Answer(body="[" * 1000, drip=True)
        began = time.monotonic()

        with pytest.raises(SignalUnavailable, match="no answer within"):
            source.intensity(window.zone, window)

        assert time.monotonic() - began < _PATIENCE_S

    @pytest.mark.parametrize("status", [429, 503])
    def test_nobody_asks_before_retry_after_has_passed(
        self,
        remake: Callable[[float], LiveSource],
        window: Window,
        api: GridApi,
        clock: Clock,
        status: int,
    ) -> None:
        """Not this process, and not the next."""
        api.trouble = Answer(status, headers={"Retry-After": "1800"})
        with pytest.raises(SignalUnavailable, match=f"answered {status}"):
            remake(_TIMEOUT_S).intensity(window.zone, window)
        api.trouble, asked = None, len(api.asked)

        clock.now += timedelta(seconds=1799)
        with pytest.raises(SignalUnavailable, match="not asked before"):
            remake(_TIMEOUT_S).intensity(window.zone, window)
        waited = len(api.asked)
        clock.now += timedelta(seconds=2)
        remake(_TIMEOUT_S).intensity(window.zone, window)

        assert waited == asked
        assert len(api.asked) > asked

    def test_retry_after_may_be_a_date(
        self, source: LiveSource, window: Window, api: GridApi, clock: Clock
    ) -> None:
        """RFC 9110 allows both."""
        until = clock.now.replace(microsecond=0) + timedelta(minutes=30)
        api.trouble = Answer(429, headers={"Retry-After": format_datetime(until, usegmt=True)})

        with pytest.raises(SignalUnavailable):
            source.intensity(window.zone, window)
        clock.now += timedelta(minutes=29)

        with pytest.raises(SignalUnavailable, match=f"{until:%T}"):
            source.intensity(window.zone, window)

    def test_a_broken_server_is_left_alone_for_minutes(
        self, source: LiveSource, window: Window, api: GridApi, clock: Clock
    ) -> None:
        """Then it is asked again."""
        api.trouble = Answer(500, "oops")
        with pytest.raises(SignalUnavailable, match="answered 500: oops"):
            source.intensity(window.zone, window)
        api.trouble = None

        with pytest.raises(SignalUnavailable, match="not asked before"):
            source.intensity(window.zone, window)
        clock.now += timedelta(minutes=6)

        assert source.intensity(window.zone, window).values

    def test_nobody_there_is_an_error_with_a_way_out(
        self, source: LiveSource, window: Window, api: GridApi
    ) -> None:
        """The network may be down."""
        api.close()

        with pytest.raises(SignalUnavailable, match="cannot be reached") as refused:
            source.intensity(window.zone, window)

        assert "network" in refused.value.mend

    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"{}", b"[]", b"null", b'{"data": [{}], "history": 5}', b"\xff"]
    )
    def test_another_shape_is_refused_and_not_kept(
        self, source: LiveSource, window: Window, api: GridApi, body: bytes
    ) -> None:
        """An API that changed is no number."""
        api.trouble = Answer(body=body)
        with pytest.raises(SignalUnavailable):
            source.intensity(window.zone, window)

        api.trouble = None

        assert source.intensity(window.zone, window).values

    def test_a_redirect_is_not_followed(
        self, source: LiveSource, window: Window, api: GridApi
    ) -> None:
        """A credential goes to nobody else."""
        api.trouble = Answer(302, headers={"Location": f"{api.url}/elsewhere"})

        with pytest.raises(SignalUnavailable, match="moved"):
            source.intensity(window.zone, window)

        assert all(asked.path != "/elsewhere" for asked in api.asked)

    def test_today_is_told_from_the_shelf_while_the_source_is_down(
        self, source: LiveSource, window: Window, api: GridApi, clock: Clock
    ) -> None:
        """What it said an hour ago is better than nothing, and says when it was said."""
        before = source.intensity(window.zone, window)
        clock.now += timedelta(hours=2)
        api.trouble = Answer(500)

        assert source.intensity(window.zone, window) == before
