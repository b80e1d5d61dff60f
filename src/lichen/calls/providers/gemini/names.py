"""Gemini names: a field may be written generationConfig or generation_config.

Source: Protocol Buffers documentation, "ProtoJSON format": parsers accept both.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from lichen.calls.providers.frames import mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

_CAPITAL = re.compile("([A-Z])")


@lru_cache(maxsize=256)
def _snake(name: str) -> str:
    return _CAPITAL.sub(r"_\1", name).lower()


def name_in(fields: Mapping[str, Any], name: str) -> str:
    """How the fields write a name; as it is where they do not have it."""
    other = _snake(name)
    return other if name not in fields and other in fields else name


def value_of(fields: Mapping[str, Any], name: str) -> Any:
    """The value under a name, however it is written; None where there is none."""
    return fields.get(name_in(fields, name))


def object_of(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object under a name, however it is written; empty where there is none."""
    return mapped(value_of(fields, name))
