"""Worth: which edges of a prompt to mark, priced in money and Wh before acting.

    gain(e) = cost(e fresh) − cost(h read, e − h written)
            + Σₖ (aₖ − aₖ₊₁) · (cost(k fresh) − cost(k read))       over the edges k up to e

e, k  tokens up to an edge    h  tokens of the longest prefix that the provider holds already
aₖ    calls to come that have at least the prefix k: the most that any edge from k to e expects

An edge is marked if it gains in money and in energy; of several the one that gains most, and with
it shorter ones that are held or will come again on their own, four in all.

Source: Anthropic API reference, "Prompt caching": a write costs 1.25 times, a read a tenth or less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.prefix.memory import Seen
    from lichen.calls.providers.marks import Edge
    from lichen.calls.providers.prices import Price

# Bytes of JSON for one token of English text: an estimate, and said to be one.
# Source: OpenAI Help Center, "What are tokens and how to count them?"
BYTES_PER_TOKEN = 4


class Known(NamedTuple):
    """An edge and what is known of it: how many tokens [token], how often it will come again."""

    edge: Edge
    seen: Seen
    tokens: int
    again: float
    held: bool


class Gain(NamedTuple):
    """What marking spares, over this call and those to come. [USD], [Wh]"""

    usd: float
    wh: float

    @property
    def pays(self) -> bool:
        """Whether it spares both."""
        return self.usd > 0 and self.wh > 0


def gain(
    known: Sequence[Known], held: int, price: Price, energy: Callable[[Tokens], float]
) -> Gain:
    """What marking the last of these edges spares, and with it the shorter ones.

    `held` tokens of it are held already. The edges are in the order of their lengths.
    """
    longest = known[-1].tokens
    read = min(held, longest)
    now = Tokens(cache_read=read, cache_write=longest - read)

    def spared(cost: Callable[[Tokens], float]) -> float:
        made = cost(Tokens(longest)) - cost(now)
        expected = 0.0
        for one in reversed(known):
            if (more := one.again - expected) > 0:
                made += more * (cost(Tokens(one.tokens)) - cost(Tokens(cache_read=one.tokens)))
                expected = one.again
        return made

    return Gain(spared(lambda tokens: price.cost(tokens).amount), spared(energy))


def choose(
    known: Sequence[Known], price: Price, energy: Callable[[Tokens], float], most: int
) -> list[Known]:
    """The edges to mark, the longest last; none where none pays. `known` grow in length."""
    held = max((one.tokens for one in known if one.held), default=0)
    gains = [(gain(known[: at + 1], held, price, energy), at) for at in range(len(known))]
    paying = [(made.usd, at) for made, at in gains if made.pays]
    if not paying:
        return []
    best = max(paying)[1]
    shorter = [one for one in known[:best] if one.held or one.again >= 1]
    return [*shorter[-(most - 1) :], known[best]]
