"""Measured windows: what they book, inside one another and side by side; nothing breaks by them."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from contextvars import copy_context
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from lichen.ledger.book import Book
from lichen.ledger.entry import WINDOW
from lichen.ledger.errors import InputError, StoreUnavailable
from lichen.ledger.estimate import Estimate
from lichen.ledger.memory import MemoryStore
from lichen.ledger.ports import CallReading
from lichen.ledger.pricing import Pricer, Raw
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.window import Reserved, Work
from lichen.testing.prices import FlatGrid, WattHourPerToken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lichen.ledger.entry import Entry, Figures


class Dial:
    """A window meter that a test turns by hand, in watt-hours."""

    method = "window/1"
    within_s: float | None = None

    def __init__(self) -> None:
        self.wh = 0.0
        self.faults = 0

    def stand(self) -> tuple[float, ...]:
        """Where the dial stands."""
        return (self.wh,)

    def failed_since(self, faults: int) -> tuple[str, ...]:
        """The dial, if it failed."""
        return ("dial",) if self.faults > faults else ()

    def raw(
        self, spent: Sequence[float], reserved: Reserved | None
    ) -> tuple[dict[str, float | str], tuple[str, ...]]:
        """What was spent, and what was kept."""
        kept = {} if reserved is None else {f"reserved_{k}": v for k, v in reserved.told().items()}
        return {"wh": spent[0], **kept}, ()


def from_dial(raw: Raw) -> CallReading | None:
    """A watt-hour is a watt-hour; its making 1 g."""
    wh = float(raw.raw["wh"])
    return CallReading(
        Estimate.around(Energy.wh(wh), 2.0), Estimate.exact(Carbon.grams(wh)), factors="dial 1"
    )


@pytest.fixture
def dial() -> Dial:
    return Dial()


def make_book(dial: Dial, grid: Any = None, store: Any = None) -> Book:
    grid = grid or FlatGrid(100.0)
    pricer = Pricer(WattHourPerToken(), grid, {"window": from_dial}, spans=("window",))
    return Book(store or MemoryStore(), pricer, zone="SE-SE3", meter=lambda: dial)


@pytest.fixture
def book(dial: Dial) -> Book:
    return make_book(dial)


def entries(book: Book) -> dict[str, Entry]:
    book.flush()
    return {entry.figures.name: entry for entry in book.store.entries()}


def figures(book: Book, name: str) -> Figures:
    return entries(book)[name].figures


def wh(book: Book) -> dict[str, float]:
    return {
        name: entry.figures.footprint.energy.value.in_wh for name, entry in entries(book).items()
    }


def test_a_window_is_an_entry_with_energy_carbon_and_making(book: Book, dial: Dial) -> None:
    with book.measure("fit", work=Work(2, "epoch")):
        dial.wh += 10

    said = figures(book, "fit")

    assert said.strategy == WINDOW
    assert said.work == Work(2, "epoch")
    assert said.footprint.energy.value.in_wh == pytest.approx(10)
    assert said.footprint.operational.value.in_grams == pytest.approx(1.0)
    assert said.footprint.embodied.value.in_grams == pytest.approx(10)
    assert (said.method, said.factors, said.zone) == ("window/1", "dial 1", "SE-SE3")
    assert book.sci(per="epoch").per_unit.value.in_grams == pytest.approx(5.5)


def test_the_work_may_be_told_while_it_is_done(book: Book, dial: Dial) -> None:
    with book.measure("fit") as window:
        dial.wh += 1
        window.work = Work(7, "image")

    assert figures(book, "fit").work == Work(7, "image")


def test_windows_inside_one_another_count_nothing_twice(book: Book, dial: Dial) -> None:
    with book.measure("outer", work=Work(1, "run")) as outer:
        dial.wh += 1
        with book.measure("inner", work=Work(5, "step")) as inner:
            dial.wh += 10
        dial.wh += 2

    assert wh(book) == pytest.approx({"outer": 3, "inner": 10})
    assert outer.footprint.energy.value.in_wh == pytest.approx(13)
    assert inner.footprint.energy.value.in_wh == pytest.approx(10)
    assert book.summary().work.used.energy.value.in_wh == pytest.approx(13)


def test_a_window_without_work_counts_in_the_unit_of_the_one_around_it(
    book: Book, dial: Dial
) -> None:
    with book.measure("outer", work=Work(4, "run")):
        dial.wh += 1
        with book.measure("middle"), book.measure("inner"):
            dial.wh += 7

    assert figures(book, "inner").work == Work(0, "run")
    assert book.sci(per="run").carbon.value.in_grams == pytest.approx(8.8)


def test_the_body_s_exception_is_booked_and_goes_on(book: Book, dial: Dial) -> None:
    def fail() -> None:
        dial.wh += 5
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), book.measure("fit", work=Work(1, "run")):
        fail()

    said = figures(book, "fit")

    assert said.raw["raised"] == "ZeroDivisionError"
    assert said.work == Work(0, "run")
    assert said.footprint.energy.value.in_wh == pytest.approx(5)


def test_a_function_is_measured_at_each_call(book: Book, dial: Dial) -> None:
    @book.measure("step", work=Work(1, "step"))
    def step(spent: float, *, more: float = 0.0) -> float:
        """Spend."""
        dial.wh += spent + more
        return spent

    assert [step(1.0), step(2.0, more=0.5)] == [1.0, 2.0]

    assert step.__name__ == "step"
    assert step.__doc__ == "Spend."
    book.flush()
    assert book.summary().work.work == 2
    assert book.summary().work.used.energy.value.in_wh == pytest.approx(3.5)


def test_a_function_that_calls_itself_is_measured_inside_itself(book: Book, dial: Dial) -> None:
    @book.measure("step")
    def step(depth: int) -> None:
        dial.wh += 1
        if depth:
            step(depth - 1)

    step(3)

    assert book.summary().work.used.energy.value.in_wh == pytest.approx(4)
    assert len(list(book.store.entries())) == 4


async def test_a_coroutine_is_measured_until_it_is_done(book: Book, dial: Dial) -> None:
    @book.measure("fetch")
    async def fetch() -> str:
        await asyncio.sleep(0)
        dial.wh += 3
        return "done"

    assert await fetch() == "done"

    assert wh(book) == pytest.approx({"fetch": 3})


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_generator_is_refused_with_the_way_out(book: Book, kind: str) -> None:
    def numbers() -> Any:
        yield 1

    async def async_numbers() -> Any:
        yield 1

    with pytest.raises(InputError, match="measure the loop that runs it"):
        book.measure("fit")(numbers if kind == "sync" else async_numbers)


async def test_tasks_side_by_side_share_and_say_so(book: Book, dial: Dial) -> None:
    both = asyncio.Event()

    async def task(name: str) -> None:
        with book.measure(name):
            await both.wait()

    with book.measure("outer"):
        tasks = [asyncio.create_task(task(name)) for name in ("one", "other")]
        await asyncio.sleep(0)
        dial.wh += 8
        both.set()
        await asyncio.gather(*tasks)

    assert wh(book) == pytest.approx({"one": 4, "other": 4, "outer": 0})
    assert figures(book, "one").gaps == ("window-shared",)
    assert figures(book, "outer").gaps == ()


def test_threads_side_by_side_share_and_say_so(book: Book, dial: Dial) -> None:
    inside, spent = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with book.measure("thread"):
            inside.set()
            spent.wait(5)

    thread = threading.Thread(target=elsewhere)
    with book.measure("main"):
        thread.start()
        inside.wait(5)
        dial.wh += 6
        spent.set()
        thread.join()

    assert wh(book) == pytest.approx({"main": 3, "thread": 3})
    assert "window-shared" in figures(book, "main").gaps


def test_threads_run_in_a_copied_context_are_inside_the_window_that_started_them(
    book: Book, dial: Dial
) -> None:
    lock = threading.Lock()

    def work() -> None:
        with lock, book.measure("thread") as window:
            dial.wh += 2
        inside.append(window)

    inside: list[Any] = []
    with book.measure("outer", work=Work(1, "fit")) as outer:
        threads = [threading.Thread(target=copy_context().run, args=(work,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        dial.wh += 1

    # 2 Wh in each thread and 1 around them, with nobody beside.
    assert [each.footprint.energy.value.in_wh for each in inside] == pytest.approx([2, 2])
    assert wh(book)["outer"] == pytest.approx(1)
    assert outer.footprint.energy.value.in_wh == pytest.approx(5)
    assert all(each.figures.gaps == () for each in entries(book).values())
    assert {each.figures.work.unit for each in entries(book).values()} == {"fit"}


def test_inside_a_job_a_window_says_which(dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICHEN_JOB_ID", "0f5a0c1de2b34567")
    book = make_book(dial)

    with book.measure("fit"):
        dial.wh += 1

    assert figures(book, "fit").raw["job"] == "0f5a0c1de2b34567"


def test_many_threads_lose_nothing(book: Book, dial: Dial) -> None:
    lock = threading.Lock()

    def work() -> None:
        for _ in range(50):
            with book.measure("step", work=Work(1, "step")), lock:
                dial.wh += 0.5

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    summed = book.summary().work
    assert summed.entries == summed.work == 400
    assert summed.used.energy.value.in_wh == pytest.approx(200)


def test_a_meter_that_fails_is_a_gap_in_the_windows_open_then(book: Book, dial: Dial) -> None:
    with book.measure("whole"):
        pass
    with book.measure("broken"):
        dial.faults += 1

    assert figures(book, "whole").gaps == ()
    assert figures(book, "broken").gaps == ("meter-failed:dial",)


def test_where_no_meter_can_be_made_the_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise OSError("nothing here")

    pricer = Pricer(WattHourPerToken(), FlatGrid(100.0), {}, spans=("window",))
    book = Book(MemoryStore(), pricer, meter=broken)

    with book.measure("fit"):
        done = True

    assert done
    assert "no-meter" in figures(book, "fit").gaps
    assert "no meter can be read" in caplog.text


def test_a_device_that_cannot_be_waited_for_is_a_gap(book: Book) -> None:
    def broken() -> None:
        raise RuntimeError("the device is gone")

    with book.measure("fit", sync=broken):
        pass

    assert figures(book, "fit").gaps == ("sync-failed",)


def test_a_device_is_waited_for_at_both_ends(book: Book, dial: Dial) -> None:
    asked = []

    def sync() -> None:
        dial.wh += 1
        asked.append(dial.wh)

    with book.measure("fit", sync=sync):
        dial.wh += 10

    assert len(asked) == 2
    assert wh(book) == pytest.approx({"fit": 11})


def test_a_zone_that_does_not_exist_is_a_gap_not_an_end(book: Book, dial: Dial) -> None:
    with book.measure("fit", zone="nowhere"):
        dial.wh += 1

    assert figures(book, "fit").gaps == ("intensity-unavailable:nowhere",)


class Refusing(MemoryStore):
    """A store that refuses until it is told not to."""

    refuses = True

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries, or refuse."""
        if self.refuses:
            raise StoreUnavailable("here", "the disk is full", "make room")
        super().append(entries)


def test_a_ledger_that_cannot_be_written_breaks_nothing_and_is_tried_again(
    dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    store = Refusing()
    book = make_book(dial, store=store)

    with book.measure("fit"):
        dial.wh += 2
    book.flush()
    store.refuses = False

    assert "windows wait" in caplog.text
    assert wh(book) == pytest.approx({"fit": 2})


def test_what_never_could_be_written_is_told_at_the_end(
    dial: Dial, caplog: pytest.LogCaptureFixture
) -> None:
    book = make_book(dial, store=Refusing())
    with book.measure("fit"):
        pass

    with caplog.at_level(logging.ERROR, "lichen"):
        book.close()

    assert "1 measured windows are lost" in caplog.text


def test_a_window_that_ends_after_its_book_breaks_nothing(book: Book, dial: Dial) -> None:
    with book.measure("late"):
        dial.wh += 1
        book.close()

    assert wh(book) == pytest.approx({"late": 1})


def test_a_window_is_entered_once(book: Book) -> None:
    window = book.measure("fit")
    with window:
        pass

    with pytest.raises(InputError, match="has begun already"), window:
        pass


def test_a_window_that_has_not_ended_has_no_footprint_yet(book: Book) -> None:
    with book.measure("fit") as window:
        assert window.entry is None
        with pytest.raises(InputError, match="has not ended"):
            _ = window.footprint


@pytest.mark.parametrize("wrong", [{"work": 5}, {"work": "epoch"}, {"reserved": 8}])
def test_work_of_another_kind_is_told_at_once(book: Book, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="is wanted"):
        book.measure("fit", **wrong)


def test_what_was_reserved_is_kept(book: Book) -> None:
    with book.measure("fit", reserved=Reserved(cpus=8, gpus=0.5)):
        pass

    raw = figures(book, "fit").raw
    assert (raw["reserved_cpus"], raw["reserved_gpus"]) == (8, 0.5)


@pytest.mark.parametrize("cpus", [-1.0, float("nan"), float("inf")])
def test_hardware_that_cannot_be_kept_is_refused(cpus: float) -> None:
    with pytest.raises(InputError, match="reserved cpus"):
        Reserved(cpus=cpus)


def test_a_window_that_is_dropped_stays_out_of_the_book(book: Book, dial: Dial) -> None:
    with book.measure("outer"), book.measure("inner") as inner:
        dial.wh += 1
        inner.dropped = True

    assert list(wh(book)) == ["outer"]


def test_windows_of_two_books_are_not_inside_one_another(dial: Dial) -> None:
    one, other = make_book(dial), make_book(dial)

    with one.measure("one"), other.measure("other"):
        dial.wh += 4

    assert wh(one) == pytest.approx({"one": 4})
    assert wh(other) == pytest.approx({"other": 4})


def test_a_forked_child_books_nothing_and_its_parent_still_does(book: Book, dial: Dial) -> None:
    with book.measure("parent"):
        dial.wh += 1
        child = os.fork()
        if not child:
            with book.measure("child"):
                pass
            book.flush()
            os._exit(len(list(book.store.entries())))
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert list(wh(book)) == ["parent"]


class Slope(FlatGrid):
    """A grid whose intensity is that of the window's middle: 1 g/kWh for each second since then."""

    def __init__(self, since: Any) -> None:
        super().__init__(0.0)
        self._since = since

    def intensity(self, zone: str, window: Any) -> Any:
        """The middle's intensity."""
        middle = window.start + (window.end - window.start) / 2
        return FlatGrid((middle - self._since) / timedelta(seconds=1)).intensity(zone, window)


def test_carbon_is_priced_over_the_whole_window_and_again_when_recomputed(
    dial: Dial,
) -> None:
    book = make_book(dial)
    with book.measure("long") as window:
        dial.wh += 1000
        window._start_us -= 3_600_000_000
        window._began_ns -= 3_600_000_000_000
    entry = window.entry
    assert entry is not None

    book.pricer = Pricer(
        WattHourPerToken(),
        Slope(entry.window.start),
        {"window": from_dial},
        spans=("window",),
    )
    book.recompute("a grid that slopes")

    again = figures(book, "long").footprint.operational.value.in_grams
    assert entry.window.duration >= timedelta(hours=1)
    assert again == pytest.approx(1800, rel=0.01)


def test_recomputing_with_the_same_prices_changes_nothing(book: Book, dial: Dial) -> None:
    with book.measure("fit"):
        dial.wh += 3

    assert book.recompute("for nothing").changed == 0


def test_a_forgotten_book_lets_its_thread_go(dial: Dial) -> None:
    book = make_book(dial)
    with book.measure("fit"):
        pass
    thread = book._measures()._thread
    assert thread is not None

    del book
    gc.collect()
    thread.join(5)

    assert not thread.is_alive()


def test_a_meter_that_counts_in_circles_is_read_while_a_window_is_open(dial: Dial) -> None:
    dial.within_s = 0.02
    book = make_book(dial)
    reads = threading.Semaphore(0)
    stand = dial.stand

    def counted() -> tuple[float, ...]:
        reads.release()
        return stand()

    dial.stand = counted  # type: ignore[method-assign]
    with book.measure("fit"):
        enough = all(reads.acquire(timeout=5) for _ in range(6))

    assert enough


@pytest.mark.parametrize(
    ("name", "more", "told"),
    [
        (5, {}, "is called something"),
        ("", {}, "is called something"),
        ("fit", {"sync": 3}, "waits"),
    ],
)
def test_a_window_is_refused_what_it_cannot_use(
    book: Book, name: Any, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        book.measure(name, **more)
