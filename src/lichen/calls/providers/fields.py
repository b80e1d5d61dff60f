"""Fields: a request's body read into an object, whatever the dialect."""

from __future__ import annotations

import json
from typing import Any

import orjson

from lichen.ledger.errors import InputError

# Characters of a model's name; the longest in the registries of models have some 100.
_LONGEST_NAME = 200
# Up to here a double tells every whole number from the next (IEEE 754, 53 bits).
_WHOLE = 2.0**53


def read_fields(body: bytes) -> tuple[dict[str, Any], bool]:
    """The fields of a body, and whether it is JSON to the letter.

    Raises:
        InputError: it is not a JSON object.
    """
    strict = True
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        fields, strict = _lenient(body, error), False
    if type(fields) is not dict:
        raise InputError(f"the request body must be a JSON object, got {type(fields).__name__}")
    return fields, strict


def _lenient(body: bytes, error: orjson.JSONDecodeError) -> Any:
    """What some clients send and most services take, such as half of a pair of surrogates.

    A text cut in the middle of an emoji has one.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise InputError(f"the request body is not valid JSON: {error}") from None


def model_name(model: object) -> str:
    """A model's name as rules, the book and metrics have it; the call and its key keep their own.

    The API bounds no name: it may hold a whole prompt.
    """
    if type(model) is not str:
        return ""
    if len(model) <= _LONGEST_NAME and model.isprintable():
        return model
    return "".join(letter for letter in model[:_LONGEST_NAME] if letter.isprintable())


def is_zero(temperature: object) -> bool:
    """Whether a temperature is 0, which `False` is not."""
    return temperature == 0 and temperature is not False


def alike(number: object) -> int | None:
    """The whole number that one with a point stands for; None where it is not such a one."""
    if type(number) is float and number.is_integer() and abs(number) < _WHOLE:
        return int(number)
    return None
