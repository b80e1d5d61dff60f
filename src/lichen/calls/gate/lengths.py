"""Lengths: how long answers were so far, by kind of call, model and tenant; kept in a file.

    value   Σ tokens / n
    low     exp(μ − 1.645 σ)        of the logarithms of those counts: nine answers of ten lie
    high    exp(μ + 1.645 σ)        between the two if lengths are log-normal

Sums alone are kept, with the hash of the tenant and the name of the model: no text, and no answer's
own length.
"""

from __future__ import annotations

import threading
from dataclasses import astuple, dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls import learnt_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lichen.calls.forget import Forget

# Two-sided 90 % of a normal distribution.
_Z = 1.645
# Answers before a mean is taken for one.
_LEAST = 10
# Classes of calls remembered.
_MOST = 4096
_VERSION = 1


class Length(NamedTuple):
    """Tokens that an answer would have had, its 90 % interval, and from how many answers."""

    low: int
    value: int
    high: int
    answers: int


@dataclass(slots=True)
class _Sums:
    """Of one class of calls; `at_us` is when the last of them began. [µs since 1970]"""

    n: int = 0
    tokens: int = 0
    logs: float = 0.0
    squares: float = 0.0
    at_us: int = 0

    def add(self, tokens: int, logarithm: float, at_us: int) -> None:
        self.n += 1
        self.tokens += tokens
        self.logs += logarithm
        self.squares += logarithm**2
        self.at_us = max(self.at_us, at_us)

    @property
    def value(self) -> int:
        return max(1, round(self.tokens / self.n))

    @property
    def length(self) -> Length:
        mean = self.logs / self.n
        spread = sqrt(max(0.0, self.squares / self.n - mean**2))
        value = self.value
        low, high = exp(mean - _Z * spread), exp(mean + _Z * spread)
        return Length(min(value, max(1, int(low))), value, max(value, int(high) + 1), self.n)


class Lengths:
    """Sums by class of calls, and how much calls read and used.

    `read` are tokens read and the bytes they came in. Of calls that were measured, `measured` and
    `modelled` are the energy of the same calls [J], `held` and `modelled_held` the embodied carbon
    of the hardware that they held [gCO₂e]. `changed` says that something is not kept yet.
    """

    def __init__(self) -> None:
        self.clear()
        self.changed = False

    def clear(self) -> None:
        """Let go of everything."""
        self._sums: dict[tuple[str, ...], _Sums] = {}
        self.read = [0, 0]
        self.measured = self.modelled = 0.0
        self.held = self.modelled_held = 0.0
        self.changed = True

    def add(self, kind: str, model: str, tenant: str, tokens: int, at_us: int) -> None:
        """One more answer."""
        self.changed = True
        logarithm = log(max(1, tokens))
        for key in ((kind, model, tenant), (kind, model), (kind,)):
            had = self._sums.get(key)
            if had is None:
                if len(self._sums) >= _MOST:
                    self._sums.clear()
                had = self._sums[key] = _Sums()
            had.add(tokens, logarithm, at_us)

    def of(self, kind: str, model: str, tenant: str) -> Length | None:
        """How long answers were, by the closest class of which enough is known; else None."""
        had = self._closest(kind, model, tenant)
        return had.length if had is not None else None

    def value(self, kind: str, model: str, tenant: str) -> int | None:
        """The value of `of` alone, without the work of its interval."""
        had = self._closest(kind, model, tenant)
        return had.value if had is not None else None

    def _closest(self, kind: str, model: str, tenant: str) -> _Sums | None:
        for key in ((kind, model, tenant), (kind, model), (kind,)):
            had = self._sums.get(key)
            if had is not None and had.n >= _LEAST:
                return had
        return None

    def forget(self, which: Forget) -> int:
        """Let go of classes that name a tenant or a model that is meant; of how many."""
        gone = [key for key, sums in self._sums.items() if _is_meant(which, key, sums.at_us)]
        for key in gone:
            del self._sums[key]
        self.changed = self.changed or bool(gone)
        return len(gone)

    def state(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "version": _VERSION,
            "sums": [[*key, list(astuple(sums))] for key, sums in self._sums.items()],
            "read": list(self.read),
            "joules": [self.measured, self.modelled],
            "grams": [self.held, self.modelled_held],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state.

        Raises:
            KeyError, TypeError, ValueError: it is none; nothing is taken.
        """
        if state["version"] != _VERSION:
            raise ValueError(state["version"])
        made = {tuple(map(str, key)): _sums(*counts) for *key, counts in state["sums"]}
        tokens, size = map(int, state["read"])
        measured, modelled = map(float, state["joules"])
        # What an earlier lichen kept has none: they are learnt from here on.
        held, modelled_held = map(float, state.get("grams", (0, 0)))
        self._sums, self.read = made, [tokens, size]
        self.measured, self.modelled = measured, modelled
        self.held, self.modelled_held = held, modelled_held


def _sums(n: int, tokens: int, logs: float, squares: float, at_us: int) -> _Sums:
    if n < 1:
        raise ValueError(n)
    return _Sums(int(n), int(tokens), float(logs), float(squares), int(at_us))


def _is_meant(which: Forget, key: tuple[str, ...], at_us: int) -> bool:
    """Whether a class is meant: what names no tenant is a sum over all of them, and nobody's."""
    if which.tenant and key[2:] != (which.tenant,):
        return False
    return which.covers(tenant=which.tenant, at_us=at_us, texts=key[:2])


class LengthFile:
    """Keeps lengths in a file, where there is a place for one. Safe among threads."""

    def __init__(self, path: Path | None, warn: Callable[[object], None]) -> None:
        self._path, self._warn = path, warn
        self._writing = threading.Lock()

    def load(self, into: Lengths) -> None:
        """Take up what is kept; what cannot be read begins anew, and is told."""
        held = learnt_file.read(self._path)
        try:
            if held:
                into.restore(held)
        except (KeyError, TypeError, ValueError):
            self._warn(f"{self._path} cannot be read: lengths of answers are learnt anew")

    def save(self, state: Mapping[str, Any]) -> None:
        """Keep a state; what cannot be written is told, and learnt again after a restart."""
        if self._path is None:
            return
        with self._writing:
            try:
                learnt_file.write(self._path, state)
            except OSError as error:
                self._warn(f"lengths of answers cannot be kept: {error}")
