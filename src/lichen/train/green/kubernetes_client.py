"""The official client of Kubernetes, an extra: imported on use."""

from __future__ import annotations

from typing import Any

from lichen.ledger.errors import MissingExtra


def installed() -> tuple[Any, Any]:
    """Its modules `client` and `config`.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        from kubernetes import client, config  # noqa: PLC0415 (heavy, and an extra)
    except ImportError as error:
        raise MissingExtra("the executor kubernetes", "kubernetes", "kubernetes") from error
    return client, config
