"""What a text states that no cosine may blur: numbers, dates, names, negation, units, code, roles.

A text is read once, left to right, into `Facts`; two texts' facts are compared by `guards`.
English; of other languages only scripts, numbers and code are known.

Source: the list of what embeddings blur was measured on question pairs (docs/method/similar.md).
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache

from lichen.calls.similar.language import language, scripts
from lichen.calls.similar.words import SHORT_UNITS, SIGNS, Mark, table, words

_TOKEN = re.compile(
    r"""(?P<plain>(?:[A-Z]?[a-z]+|[A-Z]+))(?=[\s?!,;]|[.:](?:\s|$)|$)
      |(?P<code>`[^`]+`
        |https?://\S+
        |(?<![\w.])(?:[A-Za-z]:|~|\.{1,2})?(?:[/\\][\w.@+-]+){2,}/?
        |(?<![\w/])\.?/[\w.@+-]+
        |(?<![\w-])--?[A-Za-z][\w-]*(?:=\S+)?
        |(?=\w{0,64}_)[A-Za-z_]\w*+
        |[A-Za-z_]\w*+(?:\.[A-Za-z_]\w++)++(?:\(\))?
        |[A-Za-z_]\w*+\(\)
        |[a-z][a-z0-9]*+[A-Z]\w*+
        |[A-Za-z](?:\+\+|\#)
        |\.[a-z]{2,5}\b)
      |(?P<number>\d[\d,]*(?:[.:]\d+)*)(?P<suffix>(?:st|nd|rd|th)\b|[A-Za-z]+\d*\b)?
      |(?P<word>[^\W\d_]+\d\w*|[^\W\d_]+(?:['’][^\W\d_]+)*)
      |(?P<sign>[$€£₹¥%°]|[-+*/=<>!&|^~]+|[?!.;:,])""",
    re.VERBOSE,
)
_QUOTED = re.compile(
    r'(?<!")"++([^"]{1,200}+)"|“([^”]{1,200})”|«([^»]{1,200})»|(?<!\w)\'([^\']{2,80})\'(?!\w)'
)
_OPENS = frozenset(".?!:;")
_QUOTES = frozenset("\"“«'")
_PLAIN_SIGNS = frozenset({",", "-", "--", "/", "&", "...", "..", "!!", "=>", "|"})
_MAY = frozenset({"may", "march", "mar"})
# "or not" and "why not" negate nothing.
_IDLY = frozenset({"or", "why"})
_WITHIN = frozenset({"and", "a"})
_RATES = frozenset({"kbps", "mbps", "gbps"})
NUMERALS = frozenset({"number", "scale"})
_HUNDRED = 100
_SUFFIXES = frozenset({"st", "nd", "rd", "th"})


@dataclass(slots=True)
class Facts:
    """What one text states. Sets and sorted tuples compare; `words` keeps the order.

    `words` are content and relation words in order, in lower case, without possessives; `names` the
    capitalised ones that do not open a sentence; `marks` values by group of the word table;
    `scopes` what each negation is followed by; `language` is "en", another code, or "?"; `english`
    how many words are surely English.
    """

    words: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    numbers: list[str] = field(default_factory=list)
    code: set[str] = field(default_factory=set)
    quotes: list[str] = field(default_factory=list)
    marks: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    scopes: list[str] = field(default_factory=list)
    scripts: set[str] = field(default_factory=set)
    language: str = "en"
    english: int = 0


def read(text: str) -> Facts:
    """The facts of `text`, in one pass. Never raises: what is not understood is no fact."""
    reader = _Reader(text)
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind in {"plain", "word"}:
            reader.word(match.group())
        elif kind == "code":
            reader.code(match.group())
        elif kind == "sign":
            reader.sign(match.group())
        else:
            reader.number(match.group("number"), match.group("suffix") or "")
    return reader.close()


class _Reader:
    """Goes over the tokens of a text and notes what they state."""

    __slots__ = (
        "_common",
        "_facts",
        "_marks",
        "_negated",
        "_numeral",
        "_opening",
        "_text",
        "_unit",
    )

    def __init__(self, text: str) -> None:
        self._text = text
        self._facts = Facts()
        self._marks = table().marks
        self._common = words("common")
        self._opening = True
        self._negated = False
        self._numeral: list[int] = []
        self._unit = False

    def word(self, token: str) -> None:
        """Note a word: its marks, whether it is a name, what it negates."""
        low = token.lower()
        unit, self._unit = self._unit, False
        if "'" in low or "’" in low:
            low = self._apostrophe(low.replace("’", "'"))
        if low in _RATES:
            self._facts.marks["unit"].append(low[0] + ("byte" if "B" in token else "bit"))
        elif unit and low in SHORT_UNITS:
            self._facts.marks["unit"].append(SHORT_UNITS[low])
            return
        said = self._facts.words
        if low == "not" and said and said[-1] in _IDLY:
            return
        said.append(low)
        self._weigh(token, low, self._marks.get(low))
        self._opening = False

    def _weigh(self, token: str, low: str, found: tuple[Mark, ...] | None) -> None:
        """Note what a word stands for, names, and what it is negated by."""
        numeral = self._mark(found) if found is not None else False
        if self._numeral and not numeral and low not in _WITHIN:
            self._count()
        if token[0].isupper():
            self._name(token, low)
        if not token.isalpha() and any(char.isdigit() for char in token):
            self._facts.code.add(low)
        if self._negated and low not in self._common and not _negation(found):
            self._facts.scopes.append(stem(low))
            self._negated = False

    def _mark(self, found: tuple[Mark, ...]) -> bool:
        """Note what a word stands for; whether it goes on with a numeral in letters."""
        numeral = False
        for group, value in found:
            if group in NUMERALS:
                numeral = self._written(group, value)
            else:
                self._facts.marks[group].append(value)
                if group == "negation":
                    self._negated = True
        return numeral

    def _apostrophe(self, low: str) -> str:
        """A word without its apostrophe; n't is noted as a negation."""
        if low.endswith("n't"):
            self._facts.marks["negation"].append("not")
            self._negated = True
            return {"can't": "can", "won't": "will"}.get(low, low[:-3])
        head, _, tail = low.partition("'")
        return head if tail in {"s", "m", "re", "ve", "ll", "d", ""} else head + tail

    def _name(self, token: str, low: str) -> None:
        """Note a capitalised word that does not open a sentence, an acronym, or a dated May."""
        # Initials too, such as George H. and George W.; but not "I" and "A".
        acronym = token.isupper() and low not in self._common
        if low in _MAY and not self._opening:
            self._facts.marks["date"].append(low[:3])
        elif (acronym or not self._opening) and low not in self._common:
            self._facts.names.add(low)

    def _written(self, group: str, value: str) -> bool:
        """Add a numeral in letters to the number that is being read."""
        if "/" in value:
            self._facts.numbers.append(value)
            return False
        amount = int(value)
        if group == "scale":
            if not self._numeral:
                if self._facts.numbers and self._unit_before():
                    self._facts.numbers[-1] += f"e{len(value) - 1}"
                    return True
                self._numeral = [1]
            self._numeral[-1] *= amount
            if amount > _HUNDRED:
                self._numeral.append(0)
        elif self._numeral:
            self._numeral[-1] += amount
        else:
            self._numeral = [amount]
        return True

    def _unit_before(self) -> bool:
        """Whether the token before this word was a number in digits."""
        words = self._facts.words
        return len(words) > 1 and words[-2] == "#"

    def _count(self) -> None:
        """End the numeral that is being read."""
        self._facts.numbers.append(str(sum(self._numeral)))
        self._numeral = []

    def number(self, digits: str, suffix: str) -> None:
        """Note a number in digits, with the unit that is written against it."""
        if self._numeral:
            self._count()
        facts = self._facts
        low = suffix.lower()
        value = digits.replace(",", "")
        if low == "k":
            value, low = f"{value}e3", ""
        elif low[-1:].isdigit():
            value, low = value + low, ""
        facts.numbers.append(value)
        facts.words.append("#")
        self._unit = True
        self._opening = False
        if low and low not in _SUFFIXES:
            self.word(suffix)

    def code(self, token: str) -> None:
        """Note code, with its case."""
        self._facts.code.add(token.strip("`"))
        self._facts.words.append(token.lower())
        self._opening = self._unit = False

    def sign(self, token: str) -> None:
        """Note a unit's sign, an operator, or the end of a sentence."""
        if token in _OPENS:
            self._opening = True
        elif token in SIGNS:
            self._facts.marks["unit"].append(SIGNS[token])
            return
        elif token in _PLAIN_SIGNS:
            self._facts.words.append(token)
        else:
            self._facts.code.add(token)
            self._facts.words.append(token)
        self._unit = self._unit and token == "-"  # noqa: S105 (a sign)

    def close(self) -> Facts:
        """The facts, once the text is read."""
        if self._numeral:
            self._count()
        facts = self._facts
        if not _QUOTES.isdisjoint(self._text):
            for match in _QUOTED.finditer(self._text):
                said = next(group for group in match.groups() if group is not None)
                facts.quotes.append(plain(said))
        if not self._text.isascii():
            facts.scripts = scripts(self._text)
        facts.language, facts.english = language(facts.words, facts.scripts)
        return facts


def plain(text: str) -> str:
    """A text as its words alone, in lower case, one blank between them."""
    return " ".join(re.findall(r"\w+", text.lower()))


_ENDINGS = (("ing", "", 6), ("ies", "y", 5), ("ed", "", 5), ("es", "", 5), ("s", "", 4))
_SHORTEST = 4


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without the commonest English endings. Crude: it only has to be the same twice."""
    for ending, instead, least in _ENDINGS:
        if len(word) >= least and word.endswith(ending) and not word.endswith("ss"):
            word = word[: -len(ending)] + instead
            break
    doubled = len(word) > _SHORTEST and (word[-1] == "e" or word[-1] == word[-2])
    return word[:-1] if doubled else word


def _negation(found: tuple[Mark, ...] | None) -> bool:
    return found is not None and any(group == "negation" for group, _ in found)
