"""What writing an entry costs: through the bulk writer, and at the limit."""

from __future__ import annotations

import itertools
import resource
import sqlite3
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lichen.ledger.entry import Baseline, Entry, Figures
from lichen.ledger.estimate import Estimate
from lichen.ledger.footprint import Footprint
from lichen.ledger.ids import new_id, to_int
from lichen.ledger.quantities import Carbon, Energy
from lichen.ledger.rows import baseline_row, figures_row
from lichen.ledger.sqlite import SqliteStore
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work
from lichen.ledger.writer import BulkWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

# Entries alive at once, about as many as a busy second makes.
_BLOCK = 10_000
_ANSWERS = 500
_MODELS = 5
# 2026-03-01T00:00:00Z; each entry comes 20 µs after the one before.
_START_US = 1_772_323_200_000_000
_EVERY_US = 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What one entry costs. [CPU s]"""

    case: str
    put_s: float
    write_s: float
    rss_mb: float
    limit_s: float = 0.0

    @property
    def per_s(self) -> float:
        """Entries a CPU second."""
        return 1 / (self.put_s + self.write_s)

    @property
    def of_limit(self) -> float:
        """The limit's cost as a share of ours."""
        return self.limit_s * self.per_s

    def beside(self, limit_s: float) -> Cost:
        """The same, with the limit of the same run."""
        return replace(self, limit_s=limit_s)

    def rows(self) -> Iterator[tuple[str, str, float]]:
        """What is kept of it."""
        yield self.case, "entries per CPU second", self.per_s
        yield self.case, "limit, per CPU second", 1 / self.limit_s
        yield self.case, "put, CPU µs", self.put_s * 1e6
        yield self.case, "write, CPU µs", self.write_s * 1e6
        yield self.case, "RSS, MB", self.rss_mb


def _figures(place: int) -> Figures:
    """Figures of a call as the gateway makes them."""
    wh = 0.1 + place % 997 * 1e-4
    used = Footprint(
        Estimate.around(Energy.wh(wh)),
        Estimate.around(Carbon.grams(wh * 0.41)),
        Estimate.around(Carbon.grams(wh * 0.13)),
    )
    return Figures(
        name="chat.completions",
        strategy="none",
        work=Work(1, "request"),
        footprint=used,
        method="tokens/1",
        factors="2026-11-23/3f2a",
        zone="WORLD",
        model=f"model-{place % _MODELS}",
        tokens=Tokens(prefill=100 + place % 900, decode=20 + place % 300),
        gaps=("zone-assumed",),
    )


def _hit(place: int) -> Figures:
    """Figures of an answer from the cache."""
    call = _figures(place)
    baseline = Baseline(call.footprint, "stored-call/1", new_id(), call.tokens)
    return replace(
        call,
        strategy="calls.exact",
        footprint=Footprint.zero(),
        tokens=Tokens(),
        baseline=baseline,
    )


def _own(count: int) -> Iterator[Figures]:
    return map(_figures, range(count))


def _own_with_baseline(count: int) -> Iterator[Figures]:
    return map(_hit, range(count))


def _shared(count: int) -> Iterator[Figures]:
    answers = [_hit(place) for place in range(_ANSWERS)]
    return itertools.islice(itertools.cycle(answers), count)


CASES = {
    "figures of its own": _own,
    "of its own, with a baseline": _own_with_baseline,
    "shared figures (hits)": _shared,
}


def _entries(case: str, count: int) -> Iterator[Entry]:
    for place, said in enumerate(CASES[case](count)):
        start = _START_US + place * _EVERY_US
        yield Entry(new_id(start), start, start + 900_000, "9f86d081884c7d65", said)


def _blocks(case: str, count: int) -> Iterator[list[Entry]]:
    entries = _entries(case, count)
    while block := list(itertools.islice(entries, _BLOCK)):
        yield block


def writer_cost(case: str, count: int) -> Cost:
    """CPU time of an entry through the bulk writer; making the entries is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.db"
        store = SqliteStore(path)
        writer = BulkWriter(store, beside=path)
        put = own = 0.0
        began = time.process_time()
        here = time.thread_time()
        for block in _blocks(case, count):
            start = time.thread_time()
            for entry in block:
                writer.put(entry)
            put += time.thread_time() - start
            while not writer.flush():
                pass
        writer.close()
        own = time.thread_time() - here
        # All threads' time less this one's is the writer's.
        write = time.process_time() - began - own
        written = store._read("SELECT count(*) FROM entries")[0][0]  # noqa: SLF001 (to check ourselves)
        store.close()
    if written != count:
        raise RuntimeError(f"{count} entries were put, {written} written")
    return Cost(case, put / count, write / count, _peak_rss_mb())


def limit_cost(case: str, count: int) -> float:
    """CPU time of a tuple as wide as an entry and its own figures, by `executemany` alone. [s]"""
    shared = CASES[case] is _shared
    with tempfile.TemporaryDirectory() as folder:
        db = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        spent = 0.0
        statement = ""
        for block in _blocks(case, count):
            rows = [_tuple(entry, () if shared else _columns(entry.figures)) for entry in block]
            if not statement:
                width = len(rows[0])
                columns = ", ".join(f"c{place}" for place in range(1, width))
                db.execute(f"CREATE TABLE bare (id INTEGER PRIMARY KEY, {columns})")
                statement = f"INSERT INTO bare VALUES ({', '.join('?' * width)})"
            start = time.process_time()
            db.execute("BEGIN")
            db.executemany(statement, rows)
            db.execute("COMMIT")
            spent += time.process_time() - start
        db.close()
    return spent / count


def _columns(said: Figures) -> tuple[object, ...]:
    return figures_row(said) + (baseline_row(said.baseline) if said.baseline else ())


def _tuple(entry: Entry, figures: tuple[object, ...]) -> tuple[object, ...]:
    return to_int(entry.id), entry.start_us, entry.end_us, entry.tenant, *figures


def _peak_rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
