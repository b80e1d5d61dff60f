"""`python -m benchmarks.gateway`: exact hits and pass-through, streaming and not, in one run."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gateway import peer, report
from benchmarks.gateway.contestants import (
    BARE,
    DIRECT,
    LICHEN,
    PEER,
    STEPS,
    Bench,
    ledger_path,
    mock_upstream,
    started,
    why_absent,
)
from benchmarks.gateway.load import LoadError, Shape, find_wrk
from benchmarks.gateway.measure import RejectedError, Row, check, measure, middle
from benchmarks.gateway.processes import Running, StartError

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = {"hit": (BARE, LICHEN, STEPS, PEER), "pass": (DIRECT, BARE, LICHEN, STEPS, PEER)}
_MODES = ("whole", "stream")


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How much to measure."""

    clients: tuple[int, ...]
    seconds: float
    repeats: int


_FULL = Plan(clients=(1, 16, 64), seconds=3, repeats=3)
# At a hundred calls a second, the 64 that are under way at the end weigh too much in a short run.
_LONGER = {PEER: 4}
_QUICK = Plan(clients=(1, 64), seconds=1, repeats=1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten, no CSV")
    parser.add_argument("--no-peer", action="store_true", help="leave litellm out")
    parser.add_argument(
        "--steps", action="store_true", help="lichen with all steps configured and none hit, too"
    )
    parser.add_argument("--kind", choices=sorted(_KINDS), action="append", help="only these calls")
    parser.add_argument("--mode", choices=_MODES, action="append", help="only these answers")
    return parser.parse_args()


def main() -> int:
    """Measure, print, keep; 2 when the machine lacks what it takes."""
    asked = _arguments()
    try:
        find_wrk()
    except LoadError as error:
        print(error, file=sys.stderr)
        return 2
    names = _taking_part(asked)
    plan = _QUICK if asked.quick else _FULL
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="lichen-bench-") as folder,
        mock_upstream(Path(folder)) as upstream,
    ):
        bench = Bench(Path(folder), upstream)
        for kind in asked.kind or _KINDS:
            rows += _measure_kind(kind, asked.mode or _MODES, plan, names=names, bench=bench)
    if not rows:
        return 2
    print(f"\n{report.table(rows)}\n")
    if not asked.quick:
        print(f"kept in {report.keep(rows, versions=_versions()).relative_to(Path.cwd())}")
    print("\n".join(report.verdicts(rows)))
    return 0


def _taking_part(asked: argparse.Namespace) -> list[str]:
    names = []
    steps = (STEPS,) if asked.steps else ()
    for name in (DIRECT, BARE, LICHEN, *steps, PEER):
        reason = why_absent(name)
        if name == PEER:
            reason = _peer_missing(asked)
        if reason is None:
            names.append(name)
        else:
            print(f"{name} is left out: {reason}")
    return names


def _peer_missing(asked: argparse.Namespace) -> str | None:
    if asked.no_peer:
        return "as asked"
    if asked.quick and not peer.installed():
        return "not installed, and --quick installs nothing; run once without it"
    try:
        peer.install()
    except peer.PeerMissingError as error:
        return f"{peer.REQUIREMENT} did not install: {error}"
    return None


def _measure_kind(
    kind: str, modes: list[str] | tuple[str, ...], plan: Plan, *, names: list[str], bench: Bench
) -> list[Row]:
    rows = []
    with ExitStack() as stack:
        ready = dict(_ready(stack, kind, names, bench))
        for mode in modes:
            for clients in plan.clients:
                shape = Shape(kind, mode, clients, plan.seconds)
                rows += _measure_shape(shape, ready, plan.repeats, bench)
    book = ledger_path(kind, bench)
    if LICHEN in ready and book.exists():
        size = sum(part.stat().st_size for part in book.parent.glob(f"{book.name}*"))
        print(f"lichen's ledger of this run holds {size / 1e6:.1f} MB")
    return rows


def _ready(
    stack: ExitStack, kind: str, names: list[str], bench: Bench
) -> Iterator[tuple[str, Running]]:
    for name in (name for name in _KINDS[kind] if name in names):
        try:
            yield name, stack.enter_context(started(name, kind, bench))
        except StartError as error:
            print(f"{name} is left out: {error}")


def _measure_shape(
    shape: Shape, ready: dict[str, Running], repeats: int, bench: Bench
) -> list[Row]:
    seen: dict[str, list[Row]] = {}
    print(f"{shape.kind} {shape.mode}, {shape.clients} clients: ", end="", flush=True)
    for turn in range(repeats):
        # The contestants take turns, so that a slow minute of the machine hits them all; the peer,
        # a hundred times slower, has enough of one.
        for name, target in ready.items():
            if name == PEER and turn > 0:
                continue
            try:
                check(target, shape)
                longer = dataclasses.replace(shape, seconds=shape.seconds * _LONGER.get(name, 1))
                row = measure(name, target, longer, upstream=bench.upstream)
            except (LoadError, OSError, RejectedError) as error:
                print(f"\n{name} failed: {error}")
                continue
            seen.setdefault(name, []).append(row)
            print(f"{name} {row.per_core_s:,.0f}  ", end="", flush=True)
    print()
    return [middle(found) for found in seen.values()]


def _versions() -> dict[str, str]:
    about = {
        BARE: ("uvicorn", "httptools", "uvloop", "pyreqwest"),
        DIRECT: ("uvicorn", "httptools", "uvloop"),
        LICHEN: ("lichen",),
        STEPS: ("lichen",),
    }
    named = {
        who: " ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
        for who, names in about.items()
        if all(_installed(name) for name in names)
    }
    return {**named, PEER: peer.REQUIREMENT.replace("==", " ")}


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
