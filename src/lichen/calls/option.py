"""Option: how a setting is written down, as metadata of the field of a dataclass that holds it.

    ttl: float = field(default=86400.0, metadata=unit(TIMES))     "90s", "2h", 90
    error: float = field(default=0.05, metadata=share())          "5%", 0.05
    mode: str = field(default="off", metadata=choices("off", "on"))

A field without metadata is read by its type: text, a whole number, an amount, yes or no, a list of
tables. `lichen.settings` reads them; a value of the wrong kind is a `ValueError` that says which.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import Field

    Reader = Callable[[object], Any]

TIMES: Mapping[str, float] = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
MILLISECONDS: Mapping[str, float] = {"ms": 1e-3, **TIMES}
# Source: IEC 80000-13 (binary prefixes), SI Brochure, 9th edition (decimal ones).
SIZES: Mapping[str, float] = {
    "B": 1.0,
    "kB": 1e3,
    "MB": 1e6,
    "GB": 1e9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_MARK = "lichen"
_MOST = 2**31
_YES = {"true": True, "yes": True, "on": True, "1": True}
_NO = {"false": False, "no": False, "off": False, "0": False}


def unit(units: Mapping[str, float], *, above_zero: bool = False) -> Mapping[str, Reader]:
    """A number, plain or with one of these units; finite, and 0 or more."""
    return {_MARK: lambda value: _amount(value, units, above_zero=above_zero)}


def choices(*names: str) -> Mapping[str, Reader]:
    """One of these words."""

    def read(value: object) -> str:
        # TOML writes off and on as words, and some people as the booleans they mean.
        text = {False: "off", True: "on"}.get(value, value) if type(value) is bool else value
        if text not in names:
            raise ValueError(f"it is one of {', '.join(names)}")
        return str(text)

    return {_MARK: read}


def share(*, least: float = 0.0, most: float = 1.0) -> Mapping[str, Reader]:
    """A part of a whole, as 0.05 or "5%"."""

    def read(value: object) -> float:
        text = str(value).strip()
        try:
            part = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            part = -1.0
        if not least <= part <= most or type(value) is bool:
            raise ValueError(f'it is a share from {least:g} to {most:g}, such as 0.05 or "5%"')
        return part

    return {_MARK: read}


def zone() -> Mapping[str, Reader]:
    """A zone as the tables write it: SE-SE3 in capitals, aws:eu-north-1 in small letters."""
    return text(_zone_as_written)


def _zone_as_written(given: str) -> str:
    code = given.strip()
    return code.lower() if ":" in code else code.upper()


def whole(least: int = 0, most: int = _MOST) -> Mapping[str, Reader]:
    """A whole number within bounds."""
    return {_MARK: lambda value: _whole(value, least, most)}


def read_by(reader: Reader) -> Mapping[str, Reader]:
    """As this function reads it; a `ValueError` of its says what is wrong."""
    return {_MARK: reader}


def text(change: Callable[[str], str]) -> Mapping[str, Reader]:
    """Text, as `change` writes it."""
    return {_MARK: lambda value: change(_text(value))}


def texts(change: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Mapping[str, Reader]:
    """A list of texts, or one text with commas, as `change` writes them."""
    return {_MARK: lambda value: change(_texts(value))}


def fields_of(owner: type) -> dict[str, Field[Any]]:
    """The fields of a dataclass by name."""
    return dict(owner.__dataclass_fields__)  # type: ignore[attr-defined]


def read_field(field: Field[Any], value: object, what: str) -> Any:
    """The value of one field, checked. Secrets, fields outside `repr`, are not repeated.

    Raises:
        InputError: it makes no sense; begins with `what`.
    """
    reader = field.metadata.get(_MARK) or _BY_TYPE[str(field.type)]
    try:
        return reader(value)
    except ValueError as error:
        cannot = f"cannot be {value!r}" if field.repr else "cannot be read"
        raise InputError(f"{what} {cannot}: {error}") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be text, in quotes")  # noqa: TRY004 (as of any wrong value)
    return value


def _whole(value: object, least: int = 0, most: int = _MOST) -> int:
    written = str(value).strip()
    if not (written.isascii() and written.isdigit()) or not least <= int(written) <= most:
        raise ValueError(f"it is a whole number from {least} to {most}")
    return int(written)


def _amount(value: object, units: Mapping[str, float], *, above_zero: bool = False) -> float:
    written = str(value).strip()
    named = next((u for u in sorted(units, key=len, reverse=True) if written.endswith(u)), "")
    try:
        amount = float(written.removesuffix(named)) * units.get(named, 1.0)
    except ValueError:
        amount = -1.0
    if not isfinite(amount) or amount < 0 or (amount == 0 and above_zero):
        least = "above 0" if above_zero else "of 0 or more"
        either = f", plain or with one of {', '.join(units)}" if units else ""
        raise ValueError(f"it is a number {least}{either}")
    return amount


def _yes_or_no(value: object) -> bool:
    written = str(value).strip().lower()
    if written not in {**_YES, **_NO}:
        raise ValueError("it is true or false")
    return written in _YES


def _tables(value: object) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(row, dict) for row in value):
        raise ValueError("it is a list of tables, each written under its name in [[ ]]")
    return tuple(value)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
        raise ValueError('it is a list of texts, such as ["one", "two"]')
    return tuple(value)


_BY_TYPE: dict[str, Reader] = {
    "str": _text,
    "int": _whole,
    "float": lambda value: _amount(value, {}),
    "bool": _yes_or_no,
    "tuple[str, ...]": _texts,
    "tuple[Mapping[str, Any], ...]": _tables,
}
