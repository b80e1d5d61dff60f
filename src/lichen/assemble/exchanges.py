"""The pipeline of calls put together: its steps from the outermost to the metered upstream."""

from __future__ import annotations

import logging
import os
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from lichen.assemble.books import open_book
from lichen.assemble.grids import open_forecasts
from lichen.assemble.plugins import plugin
from lichen.assemble.upstreams import how_spoken
from lichen.ledger.errors import InputError, MissingExtra
from lichen.ledger.pricing import WORLD
from lichen.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.answers import AnswerStore
    from lichen.calls.exchange import Step, Upstream
    from lichen.calls.pipeline import Pipeline
    from lichen.calls.steps import Layers, Place
    from lichen.calls.upstreams import Upstreams
    from lichen.ledger.book import Book
    from lichen.ledger.ports import Embedder
    from lichen.settings import Settings


def answers_place(settings: Settings) -> str:
    """Where answers are kept: a file, "memory:" or an address."""
    return settings.cache or ("memory:" if ":" in settings.ledger else f"{settings.ledger}.answers")


def open_answers(settings: Settings, warn: Callable[[object], None]) -> AnswerStore:
    """The answer store, by default beside a ledger that is a file.

    Raises:
        InputError: nothing installed keeps answers at such an address, or it cannot be read.
        MissingExtra: what keeps them there is not installed.
    """
    from lichen.calls.answers import AnswerParts  # noqa: PLC0415 (strategies are put together here)

    where = answers_place(settings)
    scheme, colon, rest = where.partition(":")
    name = scheme if where == "memory:" or (colon and rest.startswith("//")) else "file"
    parts = AnswerParts(
        where,
        settings.cache_size,
        settings.cache_entry_limit,
        lambda section: getattr(settings, section),
        warn,
    )
    store: AnswerStore = plugin("lichen.answers", name)(parts)
    return store


def open_place(settings: Settings, warn: Callable[[object], None]) -> Place:
    """Where steps keep their files; the folder is made where one is named.

    `warn` hears that another process learns there, once a step asks for a file to learn into.

    Raises:
        InputError: it cannot be made or written.
    """
    from lichen.calls.learning import Learning  # noqa: PLC0415 (strategies are put together here)
    from lichen.calls.steps import Place  # noqa: PLC0415

    path = Place(settings.ledger, settings.state).file("learning")
    if settings.state and path is not None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path.parent} cannot be made for state: {error.strerror}") from None
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise InputError(f"{path.parent} cannot be written by this user: name another as state")
    learning = Learning(path, warn) if path is not None else None
    return Place(settings.ledger, settings.state, learning)


def learnt_in_memory(settings: Settings) -> list[str]:
    """What steps learn and lose at a stop; empty where nothing is, or where files keep it.

    With a ledger in memory nothing is kept, and nobody expects it to be.
    """
    from lichen.calls.rules import Rules  # noqa: PLC0415 (strategies are put together here)

    if settings.state or ":" not in settings.ledger or settings.ledger == "memory:":
        return []
    rules, gate = Rules(settings.rules), settings.gate
    kept = settings.similar.keep == "file" and rules.any("similar", "off")
    learning = {
        "what similar answers were worth": ("similar", kept),
        "trials of shorter prompts": ("compress", rules.any("compress", "off")),
        "trust in smaller models": ("cascade", gate.cascade),
        "lengths of answers": ("gate", gate.rule),
    }
    return [what for what, (step, asked) in learning.items() if asked and step in settings.steps]


def open_layers(
    settings: Settings,
    upstream: Upstream,
    book: Book,
    answers: AnswerStore,
    warn: Callable[[object], None],
) -> Layers:
    """The layers of a call: the steps that the settings name, and the metered upstream.

    Raises:
        InputError: nothing installed provides a step, or what a step is told makes no sense.
    """
    from lichen.calls.booking import Booker  # noqa: PLC0415 (strategies are put together here)
    from lichen.calls.holdout import Holdout  # noqa: PLC0415
    from lichen.calls.metered import Metered  # noqa: PLC0415
    from lichen.calls.rules import Rules  # noqa: PLC0415
    from lichen.calls.steps import Layers, StepParts  # noqa: PLC0415

    booker = Booker(book, on_error=warn)
    place = open_place(settings, warn)
    parts = StepParts(
        options=lambda name: getattr(settings, name),
        book=book,
        booker=booker,
        rules=Rules(settings.rules),
        answers=answers,
        upstream=upstream,
        holdout=Holdout(settings.holdout),
        place=place,
        entry_limit=settings.cache_entry_limit,
        zone=book.zone,
        embedder=cache(lambda: _embedder(settings.embedder)),
        forecast=cache(lambda: open_forecasts(settings)),
        warn=warn,
    )
    made: list[Step | None] = [plugin("lichen.step", name)(parts) for name in settings.steps]
    steps = [step for step in made if step is not None]
    return Layers(steps, Metered(upstream, booker, warn), booker, place.learning)


def pipeline(
    ledger: str | os.PathLike[str] | None = None, *, zone: str | None = None, **settings: Any
) -> Pipeline:
    """The gateway in this process: for the clients of SDKs, without a server.

    Calls go where their clients point; `ledger`, `zone` and all other settings are as for `lichen
    serve`. `upstream_zone` is where the service's computers stand, `[anthropic] zone` and `[gemini]
    zone` where theirs do.

    Raises:
        InputError: a setting is unknown or makes no sense.
        StoreUnavailable: the ledger cannot be opened.
        MissingExtra: what speaks HTTP is not installed.
    """
    given = {"ledger": None if ledger is None else str(ledger), "zone": zone, **settings}
    made = load(**given)
    try:
        from lichen.calls.coding.choosing import Coding  # noqa: PLC0415 (an extra, on use)
        from lichen.calls.coding.options import CodingOptions  # noqa: PLC0415
        from lichen.calls.gateway import Gateway  # noqa: PLC0415
        from lichen.calls.pipeline import Pipeline  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtra("lichen.pipeline", str(error.name), "sdk") from None
    warn = logging.getLogger("lichen").warning
    book = open_book(made, on_error=warn)
    try:
        answers = open_answers(made, warn)
        upstream = _origins(made)
        layers = open_layers(made, upstream, book, answers, warn)
    except BaseException:
        book.close()
        raise

    async def end() -> None:
        await layers.close()
        await upstream.close()
        answers.close()
        book.close()

    # Between the parts of one process nothing is worth compressing.
    plain = Coding(CodingOptions(answers=0), made.body_limit)
    return Pipeline(Gateway(layers, coding=plain), book, end)


def _origins(settings: Settings) -> Upstreams:
    """Wherever the clients point, each provider's computers in their own zone."""
    from lichen.calls.origins import Origins  # noqa: PLC0415 (strategies are put together here)
    from lichen.calls.providers.addresses import PROVIDERS  # noqa: PLC0415
    from lichen.calls.upstreams import Upstreams  # noqa: PLC0415

    how = how_spoken(settings)
    zones = {name: getattr(settings, name).zone or WORLD for name in PROVIDERS}
    others = {name: partial(Origins, zone=zone, **how) for name, zone in zones.items()}
    return Upstreams(Origins(zone=settings.upstream_zone or WORLD, **how), others)


def _embedder(name: str) -> Embedder:
    made: Any = plugin("lichen.embedder", name)()
    embedder: Embedder = made
    return embedder
