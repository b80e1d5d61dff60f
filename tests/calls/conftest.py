"""A whole gateway in this process: real pipeline, book and answer store, a scripted upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from lichen import assemble
from lichen.calls.gateway import Gateway
from lichen.calls.proof import PROVERS
from lichen.calls.similar.proof import PROVERS as OF_SIMILAR
from lichen.calls.steps import Layers
from lichen.ledger.book import Book
from lichen.ledger.memory import MemoryStore
from lichen.settings import load
from lichen.testing.callers import House
from lichen.testing.upstreams import ScriptedUpstream, chat_answer, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lichen.calls.exchange import Step, Upstream
    from lichen.ledger.ports import Store
    from lichen.ledger.pricing import Pricer
    from lichen.testing.upstreams import Act


class Build(Protocol):
    """Builds a house around a script, or an upstream; the rest are settings.

    `around` are steps outside of all others.
    """

    def __call__(
        self,
        *script: Act,
        upstream: Upstream | None = None,
        store: Store | None = None,
        pricer: Pricer | None = None,
        around: Sequence[Step] = (),
        **settings: Any,
    ) -> House: ...


@pytest.fixture(scope="session")
def pricer() -> Pricer:
    """Today's prices: the token meter and the static zones."""
    return assemble.make_pricer(load(environ={}))


@pytest.fixture
def build(pricer: Pricer) -> Iterator[Build]:
    """Builds houses and closes them."""
    built: list[House] = []
    prices = pricer

    def build(
        *script: Act,
        upstream: Upstream | None = None,
        store: Store | None = None,
        pricer: Pricer | None = None,
        around: Sequence[Step] = (),
        **settings: Any,
    ) -> House:
        given = load(environ={}, **{"ledger": "memory:", "cache": "memory:", **settings})
        troubles: list[object] = []
        upstream = upstream or ScriptedUpstream(*(script or (whole(chat_answer()),)))
        book = Book(store or MemoryStore(), pricer or prices, provers={**PROVERS, **OF_SIMILAR})
        answers = assemble.open_answers(given, troubles.append)
        layers = assemble.open_layers(given, upstream, book, answers, troubles.append)
        if around:
            steps = [*around, *layers.steps]
            layers = Layers(steps, layers.innermost, layers.booker, layers.upstream)
        house = House(Gateway(layers), book, answers, upstream, troubles)
        built.append(house)
        return house

    yield build
    for house in built:
        house.answers.close()
        house.book.close()
