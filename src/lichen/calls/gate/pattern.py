"""Pattern: regular expressions that cannot run away.

RE2 matches in time linear in the text, whatever the pattern: it has no backtracking, and no back
references or look-around, which it refuses by name. Its automata are bounded in memory. So neither
a pattern of the user's nor a text of a client's can stop the service (ReDoS). Texts longer than
`LONGEST` are not matched at all: a question that a rule can answer is short, and the time of a
match is bounded with it.

Source: Russ Cox, "Regular Expression Matching Can Be Simple And Fast", 2007; RE2's syntax page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Characters of a text that patterns are matched with.
LONGEST = 2048
# Bytes of one pattern, and of its automata.
_LONGEST_PATTERN, _MOST_MEMORY = 4096, 8 << 20


def _engine() -> Any:
    try:
        import re2  # type: ignore[import-untyped]  # noqa: PLC0415 (only where a rule has a pattern)
    except ImportError:
        raise MissingExtra("a gate rule with a pattern", "google-re2", "gate") from None
    return re2


def _options() -> Any:
    options = _engine().Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    return options


class Pattern:
    """One compiled pattern.

    Raises:
        InputError: RE2 does not take it; says why.
        MissingExtra: google-re2 is not installed.
    """

    def __init__(self, written: str) -> None:
        re2 = _engine()
        if len(written.encode()) > _LONGEST_PATTERN:
            raise InputError(f"it is longer than {_LONGEST_PATTERN} bytes: split it into two rules")
        try:
            self._compiled = re2.compile(written, _options())
        except re2.error as error:
            why = error.args[0] if error.args else error
            raise InputError(
                f"{why.decode() if isinstance(why, bytes) else why}; patterns are RE2's, which "
                "has no look-around and no back references, so that none can run away"
            ) from None
        self.written = written
        self.groups: frozenset[str] = frozenset(self._compiled.groupindex)

    def groups_in(self, text: str) -> Mapping[str, str] | None:
        """The named groups of the first match, None where there is none."""
        if len(text) > LONGEST:
            return None
        try:
            found = self._compiled.search(text)
        except UnicodeEncodeError:  # half of a pair of surrogates, which is no text
            return None
        if found is None:
            return None
        return {name: said or "" for name, said in found.groupdict().items()}


class PatternSet:
    """Many patterns looked for in one pass; most texts match none.

    Raises:
        InputError: together they are too large.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._set = _engine().Set.SearchSet(_options())
        for pattern in patterns:
            self._set.Add(pattern.written)
        self._set.Compile()

    def matching(self, text: str) -> Sequence[int]:
        """The places of the patterns that match somewhere in the text, in any order."""
        if len(text) > LONGEST:
            return ()
        try:
            return self._set.Match(text) or ()
        except UnicodeEncodeError:
            return ()
