"""Shared: what several services have in common in Redis or Valkey.

link           a connection that is quick or not at all: a time limit and a breaker
redis_answers  answers by key, bounded and expiring
lease          identical calls of several machines become one
index          a log of what a step's index holds, by tenant

All of it spares calls and nothing more: with Redis away a service goes on by itself.

    LICHEN_CACHE=redis://:password@host:6379/0     valkey:// is the same; rediss:// with TLS
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lichen.calls.answers import AnswerParts, AnswerStore
    from lichen.calls.exchange import Step
    from lichen.calls.steps import StepParts


def open_redis(parts: AnswerParts) -> AnswerStore:
    """An answer store whose answers other services share, hot ones in memory.

    Raises:
        MissingExtra: redis-py is not installed.
        InputError: the address cannot be read.
    """
    from lichen.calls.answers import AnswerStore  # noqa: PLC0415 (opened by name, on use)
    from lichen.calls.shared.link import Link  # noqa: PLC0415
    from lichen.calls.shared.redis_answers import RedisAnswers  # noqa: PLC0415

    options = parts.options("shared")
    link = Link(parts.where, timeout=options.timeout, warn=parts.warn)
    limit = min(options.entry_limit, parts.entry_limit)
    remote = RedisAnswers(link, entry_limit=limit, lease=options.lease, warn=parts.warn)
    memory = min(options.memory, parts.size)
    return AnswerStore(None, size=memory, memory=memory, remote=remote, warn=parts.warn)


def open_step(parts: StepParts) -> Step | None:
    """The step that lets identical calls of several services become one, where they share any."""
    remote = parts.answers.remote
    return None if remote is None else remote.lease(parts)
