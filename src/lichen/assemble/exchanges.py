"""The pipeline of calls put together: its steps from the outermost to the metered upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lichen.assemble.plugins import plugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.answers import AnswerStore
    from lichen.calls.booking import Booker
    from lichen.calls.exact import ExactCache
    from lichen.calls.exchange import Onward, Step, Upstream
    from lichen.settings import Settings


def open_answers(settings: Settings, warn: Callable[[object], None]) -> AnswerStore:
    """The answer store, by default beside a ledger that is a file.

    Raises:
        InputError: nothing installed keeps answers at such an address, or it cannot be read.
        MissingExtra: what keeps them there is not installed.
    """
    from lichen.calls.answers import AnswerParts  # noqa: PLC0415 (strategies are put together here)

    where = settings.cache or (
        "memory:" if ":" in settings.ledger else f"{settings.ledger}.answers"
    )
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


def open_pipeline(
    settings: Settings,
    upstream: Upstream,
    booker: Booker,
    answers: AnswerStore,
    warn: Callable[[object], None],
) -> tuple[Onward, ExactCache]:
    """The layers of a call, outermost first: exact, coalesce, keeping, and the metered upstream."""
    from lichen.calls.coalesce import Coalesce  # noqa: PLC0415 (strategies are put together here)
    from lichen.calls.exact import ExactCache  # noqa: PLC0415
    from lichen.calls.exchange import pipeline  # noqa: PLC0415
    from lichen.calls.keeping import Keeping  # noqa: PLC0415
    from lichen.calls.metered import Metered  # noqa: PLC0415
    from lichen.calls.rules import Rules  # noqa: PLC0415

    limit = settings.cache_entry_limit
    name = upstream.name or upstream.url
    rules = Rules(settings.rules)
    exact = ExactCache(answers, booker, rules, upstream=name, entry_limit=limit)
    steps: list[Step] = [exact, Coalesce(booker, limit=limit), Keeping(answers, entry_limit=limit)]
    return pipeline(steps, Metered(upstream, booker, warn)), exact
