"""Arithmetic: the exact value of a question that is a sum and nothing else.

    question = [what is | calculate | …] expression [= | ?]
    expression = term {(+ | −) term};  term = power {(× | ÷) power};  power = atom [^ whole number]
    atom = number | (expression) | − atom

Values are fractions of whole numbers, so that nothing is rounded; there is no `eval`, and length,
depth and size are bounded. No answer is better than a wrong one: what people write that is no sum
(9/11, 24/7, 555-1234, 2024-01-02), what two readers read in two ways (-3^2, 2^3^2, 6/2(1+2), 1.500)
and what has words or units in it is left to the model.
"""

from __future__ import annotations

import re
from fractions import Fraction

# Characters and pieces of a question that is looked at; a sum that somebody types is shorter.
_LONGEST, _MOST_PIECES = 160, 64
# Bits of a number on the way, and digits of a result that is still told.
_MOST_BITS, _MOST_DIGITS = 2048, 40
# Digits after the point: of a result that ends, and of one that does not.
_EXACT_PLACES, _ROUNDED_PLACES = 12, 6

# What most questions do not begin with is seen at once.
_BEGINS = re.compile(r"\s*(?:please|what|how|calc|comp|eval|work|[-−(.\d])", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
# Twice as fast, which tells in a rule that every call passes.
_ASCII_DIGIT = re.compile(r"[0-9]")
_ASKS = re.compile(
    r"(?:please\s+)?(?:(?P<what>what(?:\s+is|'s|’s)|how\s+much\s+is)|"
    r"(?P<verb>calculate|compute|evaluate|work\s+out))\s+(?P<sum>.+)",
    re.IGNORECASE,
)
_END = re.compile(r"\s*(?P<equals>=)?\s*[?.]?\s*(?:please\s*[.?]?)?$", re.IGNORECASE)
_PERCENT = re.compile(r"(?P<part>[\d.,]+)\s*(?:%|percent)\s+of\s+(?P<whole>[\d.,]+)", re.IGNORECASE)
_PIECE = re.compile(r"\s*(?:(\d[\d,]*(?:\.\d+)?|\.\d+)|(\*\*|[-+*/^()×÷−·]))")
# A letter that multiplies stands between spaces: 4x4 is a car.
_TIMES_WORD = re.compile(r"(?<=[\d)])\s+(?:x|times|multiplied by)\s+(?=[\d(-])", re.IGNORECASE)
_WORDS = (
    (re.compile(r"(?<=[\d)])\s+plus\s+(?=[\d(-])", re.IGNORECASE), " + "),
    (re.compile(r"(?<=[\d)])\s+minus\s+(?=[\d(-])", re.IGNORECASE), " - "),
    (re.compile(r"(?<=[\d)])\s+divided\s+by\s+(?=[\d(-])", re.IGNORECASE), " / "),
    (_TIMES_WORD, " * "),
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_TWO_WAYS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}[.,]\d{3}(?![\d.,])")
_TIGHT = re.compile(r"(?<=\d)[-/−](?=\d)")
_PAIR = re.compile(r"(\d+)\s*([-/−])\s*(\d+)")
# What is asked for is the thing of that name, not its value.
_NAMES = frozenset(
    ("9/11", "24/7", "7/7", "50/50", "7-11", "20-20", "20/20", "7/24", "4/20", "1-1", "401-1")
)
_SIGNS = {"×": "*", "·": "*", "÷": "/", "−": "-", "**": "^"}


class _NoSum(Exception):  # noqa: N818 (it never leaves this module)
    """It is no sum, or none that has one reading."""


def value_of(question: str) -> str | None:
    """The value as text ("84", "0.3", "1/3 ≈ 0.333333"); None where it is not surely a sum."""
    if len(question) > _LONGEST or not _BEGINS.match(question):
        return None
    if not (_ASCII_DIGIT if question.isascii() else _DIGIT).search(question):
        return None
    try:
        return _written(_solved(question.strip()))
    except (_NoSum, ZeroDivisionError):
        return None


def _solved(question: str) -> Fraction:
    end = _END.search(question)
    equals = end is not None and end["equals"] is not None
    text = question[: end.start()] if end is not None else question
    asks = _ASKS.fullmatch(text)
    if asks is not None:
        text = asks["sum"].strip()
    if (percent := _PERCENT.fullmatch(text)) is not None:
        return _number(percent["part"]) * _number(percent["whole"]) / 100
    for word, sign in _WORDS:
        text = word.sub(sign, text)
    surely = equals or (asks is not None and asks["verb"] is not None)
    _refuse_names(text, asked=asks is not None, surely=surely)
    return _Parser(_pieces(text)).whole()


def _refuse_names(text: str, *, asked: bool, surely: bool) -> None:
    """Refuse what is written like a sum and may be a date, a telephone number, a name or a size."""
    if not asked and not surely and _TWO_WAYS.search(text):
        raise _NoSum  # 1.500 and 1,500 without an English word beside them
    pair = _PAIR.fullmatch(text)
    if pair is not None and "".join(pair.groups()).replace("−", "-") in _NAMES and not surely:
        raise _NoSum
    if _TIGHT.search(text) and not surely:
        raise _NoSum


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    at = 0
    while at < len(text):
        found = _PIECE.match(text, at)
        if found is None or len(pieces) >= _MOST_PIECES:
            raise _NoSum
        pieces.append(found[1] or _SIGNS.get(found[2], found[2]))
        at = found.end()
    if not any(piece in "+-*/^" for piece in pieces):
        raise _NoSum  # a number alone asks for something else
    return pieces


def _number(text: str) -> Fraction:
    if "," in text and not _GROUPED.fullmatch(text):
        raise _NoSum
    plain = text.replace(",", "")
    if not re.fullmatch(r"\d*\.?\d+", plain):
        raise _NoSum
    return Fraction(plain)


class _Parser:
    """Reads pieces from left to right; each method takes what it names and gives its value."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces
        self._at = 0

    def whole(self) -> Fraction:
        value = self._sum()
        if self._at < len(self._pieces):
            raise _NoSum
        return value

    def _peek(self) -> str:
        return self._pieces[self._at] if self._at < len(self._pieces) else ""

    def _take(self) -> str:
        piece = self._peek()
        self._at += 1
        return piece

    def _sum(self) -> Fraction:
        value = self._product()
        while self._peek() in ("+", "-"):
            value = _held(
                value + self._product() if self._take() == "+" else value - self._product()
            )
        return value

    def _product(self) -> Fraction:
        value = self._power()
        while self._peek() in ("*", "/"):
            value = _held(value * self._power() if self._take() == "*" else value / self._power())
        return value

    def _power(self) -> Fraction:
        negative = self._peek() == "-"
        value = self._atom()
        if self._peek() != "^":
            return value
        self._take()
        if negative:
            raise _NoSum  # -3^2 is 9 to some and -9 to others
        exponent = self._atom()
        if self._peek() == "^" or exponent.denominator != 1 or abs(exponent) > _MOST_BITS:
            raise _NoSum
        size = max(value.numerator.bit_length(), value.denominator.bit_length())
        if size * abs(exponent) > _MOST_BITS or (value == 0 and exponent <= 0):
            raise _NoSum
        return value ** int(exponent)

    def _atom(self) -> Fraction:
        piece = self._take()
        if piece == "-":
            if self._peek() == "-":
                raise _NoSum
            return -self._atom()
        if piece == "(":
            value = self._sum()
            if self._take() != ")":
                raise _NoSum
            return value
        if not piece or piece in "+*/^)":
            raise _NoSum
        return _number(piece)


def _held(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
        raise _NoSum
    return value


def _written(value: Fraction) -> str:
    """A value as people write it: whole, as a decimal that ends, or as a fraction and about."""
    places = _places(value.denominator)
    if places is not None:
        return _decimal(value, places)
    if len(str(abs(value))) > _MOST_DIGITS or abs(value) * 10**_ROUNDED_PLACES < 1:
        raise _NoSum
    return f"{value} ≈ {_decimal(round(value, _ROUNDED_PLACES), _ROUNDED_PLACES)}"


def _decimal(value: Fraction, places: int) -> str:
    """A value that has so many digits after the point."""
    digits = str(int(abs(value) * 10**places)).rjust(places + 1, "0")
    if len(digits) > _MOST_DIGITS:
        raise _NoSum
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


def _places(denominator: int) -> int | None:
    """Digits after the point of a fraction that ends; None where it does not, or not soon."""
    for places in range(_EXACT_PLACES + 1):
        if 10**places % denominator == 0:
            return places
    return None
