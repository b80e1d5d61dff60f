"""Certificate: the evidence on which a threshold was certified, written in an entry and run again.

    0 0.969231:35/35/0 0.952574:41/41/0+60/52/1
    │ │        └ seen / verified / wrong would-be hits of each group of bands above the threshold
    │ └ thresholds of the chain from its start, strict to loose; the last is the one that was used
    └ the chain

Each threshold has the counts of the moment at which its bet reached 1/α_c: that is what it counts
by (`lichen.calls.similar.evidence`), whatever came after. From them anybody can work out the bet
again, and so whether the error among hits was shown to be below what was asked.
"""

from __future__ import annotations

import math

from lichen.calls.similar.evidence import Certificate, Group, chain_level, chain_start, log_bet

# Logarithms are worked out again, and thresholds written with six digits.
_TOLERANCE = 1e-6


def written(certificate: Certificate) -> str:
    """A certificate as a raw quantity of an entry."""
    steps = (
        f"{threshold!r}:{'+'.join('/'.join(map(str, group)) for group in groups)}"
        for threshold, groups in certificate.steps
    )
    return " ".join((str(certificate.chain), *steps))


def read(text: str) -> Certificate:
    """The certificate that was written.

    Raises:
        ValueError: it is none.
    """
    chain, *steps = text.split()
    made = []
    for step in steps:
        threshold, _, groups = step.partition(":")
        made.append((float(threshold), tuple(_group(each) for each in groups.split("+"))))
    return Certificate(int(chain), tuple(made))


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
            return (
                f"at threshold {step:.6g} the evidence does not show that fewer than "
                f"{100 * delta:.3g} % are wrong: the bet stands at {math.exp(min(bet, 700)):.3g} "
                f"and needs {math.exp(level):.3g}"
            )
    return ""
