"""pytest: a test that may use so much energy, carbon or tokens, and fails where it uses more.

    @pytest.mark.limit_energy("5 J")
    @pytest.mark.limit_carbon("2 mg")
    @pytest.mark.limit_tokens(2_000)

Energy and carbon are those of the test's call, fixtures left out, by the best meters here, in the
zone of the settings; the limit is held against the best estimate, and the message shows the
interval. Unknown is not zero: where a meter is missing or fails, the test fails and says which.
Tokens are those of the calls that the ledger of the settings got during the test, so the test has
to call through `lichen serve` on that ledger. Results stand in the report's properties.

Loaded by pytest through its entry point; a test without a limit costs nothing. A pytest older than
8 cannot hold a limit: a test that has one fails and says so, and all others run.
"""

from __future__ import annotations

import inspect
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from lichen.ledger.book import Book
    from lichen.ledger.footprint import Footprint
    from lichen.ledger.measuring import Measurement

_MARKS = {
    "limit_energy": "limit_energy(amount): fail a test that uses more, such as '5 J' or '1 mWh'",
    "limit_carbon": "limit_carbon(amount): fail a test that emits more CO2e, such as '2 mg'",
    "limit_tokens": "limit_tokens(count): fail a test whose calls, by the ledger, use more tokens",
}
# The service writes what it booked within a quarter of a second. [s]
_WRITTEN_S = 0.3
_BOOK: pytest.StashKey[Book] = pytest.StashKey()
# Gaps, by their first part, with which energy is not known, and so not below any limit.
_UNKNOWN = ("no-meter", "meter-failed", "gpu-unmetered")
# New-style wrappers came with pluggy 1.2; asking an older one for them would end every run of
# pytest in the environment, limits or not.
_WRAPS = "wrapper" in inspect.signature(pytest.hookimpl).parameters


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marks."""
    for line in _MARKS.values():
        config.addinivalue_line("markers", line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let the book of the session go."""
    book = config.stash.get(_BOOK, None)
    if book is not None:
        book.close()


def _limited(item: pytest.Item) -> Generator[None, Any, Any]:
    """Measure a test that has a limit, and hold the limit where the test itself passed."""
    limits = {name: _argument(item, name) for name in _MARKS if item.get_closest_marker(name)}
    if not limits:
        return (yield)
    if "limit_tokens" in limits:
        _refuse_no_count(limits["limit_tokens"])
    checks = [_checked(name, given) for name, given in limits.items() if name in _CHECKS]
    began = datetime.now(UTC)
    with _book(item.config).measure(item.nodeid) as window:
        result = yield
    if checks:
        _refuse_unknown(window)
    for check in checks:
        check(item, window.footprint)
    if "limit_tokens" in limits:
        _check_tokens(item, limits["limit_tokens"], began)
    return result


def _too_old(item: pytest.Item) -> None:
    """Fail a test that has a limit which this pytest cannot hold."""
    if any(item.get_closest_marker(name) for name in _MARKS):
        pytest.fail(
            f"limits need pytest 8 or newer, and this is {pytest.__version__}: "
            "pip install 'pytest>=8'",
            pytrace=False,
        )


if _WRAPS:
    pytest_runtest_call = pytest.hookimpl(wrapper=True)(_limited)
else:
    pytest_runtest_setup = _too_old


def _refuse_unknown(window: Measurement) -> None:
    """Fail a test of which a meter did not see all: what is not known is below no limit."""
    entry = window.entry
    gaps = ("no-meter",) if entry is None else entry.figures.gaps
    unknown = [gap for gap in gaps if gap.partition(":")[0] in _UNKNOWN]
    if unknown:
        pytest.fail(
            f"what the test used is not known ({', '.join(unknown)}), so no limit holds: "
            "`lichen doctor` says which meters can be read here, and how to mend them",
            pytrace=False,
        )


def _argument(item: pytest.Item, name: str) -> Any:
    mark = item.get_closest_marker(name)
    assert mark is not None
    if len(mark.args) != 1 or mark.kwargs:
        pytest.fail(f"a limit has one amount: {_MARKS[name]}", pytrace=False)
    return mark.args[0]


def _checked(name: str, given: Any) -> Callable[[pytest.Item, Footprint], None]:
    """What holds a limit; a limit that is none fails the test, and says how one is written."""
    from lichen.ledger.errors import InputError  # noqa: PLC0415 (on use alone)

    try:
        return _CHECKS[name](given)
    except InputError as error:
        pytest.fail(f"@pytest.mark.{name}: {error}; write {_MARKS[name]}", pytrace=False)


def _refuse_no_count(given: Any) -> None:
    if type(given) is not int or given < 0:
        how = _MARKS["limit_tokens"]
        pytest.fail(
            f"@pytest.mark.limit_tokens: {given!r} is no count of tokens; write {how}",
            pytrace=False,
        )


def _book(config: pytest.Config) -> Book:
    """The session's book, in memory: limits leave nothing behind."""
    book = config.stash.get(_BOOK, None)
    if book is None:
        from lichen.assemble import open as open_book  # noqa: PLC0415 (on use alone)

        book = config.stash[_BOOK] = open_book("memory:")
    return book


def _limit_energy(given: Any) -> Callable[[pytest.Item, Footprint], None]:
    from lichen.hooks.amounts import energy  # noqa: PLC0415 (on use alone)

    limit = energy(given)

    def check(item: pytest.Item, used: Footprint) -> None:
        item.user_properties.append(("lichen_energy_j", used.energy.value.in_joules))
        if used.energy.value > limit:
            pytest.fail(f"the test used {used.energy}, and its limit is {given}", pytrace=False)

    return check


def _limit_carbon(given: Any) -> Callable[[pytest.Item, Footprint], None]:
    from lichen.hooks.amounts import carbon  # noqa: PLC0415 (on use alone)

    limit = carbon(given)

    def check(item: pytest.Item, used: Footprint) -> None:
        item.user_properties.append(("lichen_carbon_g", used.carbon.value.in_grams))
        if used.carbon.value > limit:
            pytest.fail(f"the test emitted {used.carbon}, and its limit is {given}", pytrace=False)

    return check


_CHECKS = {"limit_energy": _limit_energy, "limit_carbon": _limit_carbon}


def _check_tokens(item: pytest.Item, limit: int, began: datetime) -> None:
    from contextlib import closing  # noqa: PLC0415 (on use alone)

    from lichen.assemble import open_store  # noqa: PLC0415
    from lichen.settings import load  # noqa: PLC0415

    where = load().ledger
    if "://" not in where and not Path(where).exists():
        pytest.fail(
            f"nothing counts tokens here: there is no ledger at {where}; start `lichen serve` on "
            "it, or name it in LICHEN_LEDGER",
            pytrace=False,
        )
    time.sleep(_WRITTEN_S)
    with closing(open_store(where)) as store:
        used = sum(entry.figures.tokens.total for entry in store.entries(since=began))
    item.user_properties.append(("lichen_tokens", used))
    if used > limit:
        pytest.fail(f"the test used {used} tokens, and its limit is {limit}", pytrace=False)
