"""Certificate: the evidence on which a threshold was certified, written in an entry and run again.

    0 0.969231:35/35/0 0.952574:41/41/0+60/52/1
    │ │        └ seen / verified / wrong would-be hits of each group of bands above the threshold
    │ └ thresholds of the chain from its start, strict to loose; the last is the one that was used
    └ the chain

Where would-be hits have kinds, two more parts follow, each after " | ": the same with each kind
counted once, and the counts of its region alone (`lichen.calls.similar.claims`).

Each threshold has the counts of the moment at which its bet reached 1/α_c: that is what it counts
by (`lichen.calls.similar.evidence`), whatever came after. From them anybody can work out the bet
again, and so whether the error among hits was shown to be below what was asked.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lichen.calls.similar.bets import (
    WIDER,
    Certificate,
    Group,
    chain_level,
    chain_start,
    log_bet,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_BETWEEN = " | "
# Logarithms are worked out again, and thresholds written with six digits.
_TOLERANCE = 1e-6


def written(
    certificate: Certificate,
    kinds: Certificate | None = None,
    own: Group | None = None,
) -> str:
    """A certificate as a raw quantity of an entry; with kinds, three parts."""
    parts = [_chain(certificate)]
    if kinds is not None and own is not None:
        parts += [_chain(kinds), _groups([own])]
    return _BETWEEN.join(parts)


def _chain(certificate: Certificate) -> str:
    steps = (f"{threshold!r}:{_groups(groups)}" for threshold, groups in certificate.steps)
    return " ".join((str(certificate.chain), *steps))


def _groups(groups: Sequence[Group]) -> str:
    return "+".join("/".join(map(str, group)) for group in groups)


def read(text: str) -> Certificate:
    """The certificate that was written: its first part.

    Raises:
        ValueError: it is none.
    """
    chain, *steps = text.partition(_BETWEEN)[0].split()
    made = []
    for step in steps:
        threshold, _, groups = step.partition(":")
        made.append((float(threshold), _read_groups(groups)))
    return Certificate(int(chain), tuple(made))


def _read_groups(text: str) -> tuple[Group, ...]:
    return tuple(_group(each) for each in text.split("+"))


def _group(text: str) -> Group:
    seen, verified, wrong = (int(count) for count in text.split("/"))
    return Group(seen, verified, wrong)


def run_again(text: str, *, delta: float, confidence: float, threshold: float) -> tuple[bool, str]:
    """Whether a certificate shows an error below `delta` above `threshold`, and what it says. [1]

    `delta` is the share that was certified, `confidence` that of the whole decision.
    """
    try:
        certificate = read(text)
        fault = _fault(certificate, delta, 1 - confidence, threshold)
    except (ValueError, IndexError, ZeroDivisionError):
        return False, "the evidence of its threshold cannot be read"
    if fault:
        return False, fault
    _, groups = certificate.steps[-1]
    verified, wrong = sum(g.verified for g in groups), sum(g.wrong for g in groups)
    return True, (
        f"the bound, from the evidence on which the threshold was certified ({wrong} of {verified} "
        f"verified were wrong; {len(certificate.steps)} of its chain in order): at most "
        f"{100 * delta:.3g} % of answers given are wrong, with {100 * confidence:g} % confidence"
    )


def run_kinds_again(
    text: str, *, delta: float, confidence: float, threshold: float
) -> tuple[bool, str]:
    """Whether it shows as much with each kind counted once, and its region's own error. [1]"""
    try:
        _, of_kinds, own = text.split(_BETWEEN)
        group = _group(own)
        fault = _fault(read(of_kinds), delta, 1 - confidence, threshold)
        bet = log_bet([group], WIDER * delta)
    except (ValueError, IndexError, ZeroDivisionError):
        return False, "the evidence of its kinds and its region cannot be read"
    if fault:
        return False, f"each kind counted once: {fault}"
    level = math.log(1 / (1 - confidence))
    if bet < level - _TOLERANCE:
        return False, _short(
            f"its region, at threshold {threshold:.6g},", bet, level, WIDER * delta
        )
    return True, (
        f"so it does with each kind of change counted once; of its region ({group.wrong} of "
        f"{group.verified} were wrong) at most {100 * WIDER * delta:.3g} % are, "
        f"with {100 * confidence:g} % confidence"
    )


def _fault(certificate: Certificate, delta: float, alpha: float, threshold: float) -> str:
    """Why a certificate does not show what it should; empty where it does."""
    thresholds = [step for step, _ in certificate.steps]
    first, rest = chain_start(certificate.chain, delta)
    if thresholds != [first, *rest[: len(thresholds) - 1]]:
        return "its thresholds are not those of a chain in their order"
    if abs(thresholds[-1] - threshold) > _TOLERANCE:
        return f"it was certified at threshold {thresholds[-1]:.6g}, and {threshold:.6g} was used"
    level = chain_level(certificate.chain, alpha)
    for step, groups in certificate.steps:
        bet = log_bet(groups, delta)
        if bet < level - _TOLERANCE:
            return _short(f"at threshold {step:.6g} the evidence", bet, level, delta)
    return ""


def _short(of: str, bet: float, level: float, delta: float) -> str:
    """What falls short, and by how much."""
    return (
        f"{of} does not show that fewer than {100 * delta:.3g} % are wrong: the bet stands at "
        f"{math.exp(min(bet, 700)):.3g} and needs {math.exp(level):.3g}"
    )
