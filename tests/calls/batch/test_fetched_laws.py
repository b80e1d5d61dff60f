"""Laws of reading results: whatever comes, and however it is cut."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.batch.fetched.lines import Lines
from lichen.calls.batch.fetched.paths import Which
from lichen.calls.batch.fetched.reading import (
    reading_of,
)
from lichen.calls.batch.fetched.uses import Use, Uses
from lichen.calls.batch.fetched.values import EACH, Values
from lichen.ledger.errors import InputError
from lichen.ledger.tokens import Tokens
from lichen.testing.batch_results import (
    anthropic_failed,
    anthropic_line,
    gemini_line,
    lines,
    openai_failed,
    openai_line,
)
from lichen.testing.upstreams import chat_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST = 1e6
SAMPLES = {
    "openai": [openai_line("a", chat_answer()), openai_failed("b")],
    "anthropic": [anthropic_line("a"), anthropic_failed("b", "errored")],
    "gemini": [gemini_line("a"), {"key": "b", "error": {"code": 3}}],
}

# What lines of results call their fields.
_NAMES = """
    custom_id response result body usage type message model usageMetadata promptTokenCount key
    status_code input_tokens embedding prompt_tokens total_tokens object candidates tokenCount
"""
FIELDS = tuple(_NAMES.split())

jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 1) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc*", max_size=2), inner),
    max_leaves=12,
)
cuts = st.lists(st.integers(0, 400), max_size=12)


def pieces(content: bytes, at: Iterable[int]) -> list[bytes]:
    """Content cut at some places."""
    ends = sorted({0, len(content), *(place % (len(content) + 1) for place in at)})
    return [content[a:b] for a, b in pairwise(ends)]


def used(
    provider: str, content: bytes, *, whole: bool = False, at: Sequence[int] = ()
) -> list[tuple[int, Use]] | None:
    """What some results used; None where they are not whole."""
    reading = reading_of(Which(provider, "x", whole=whole), MOST)
    for piece in pieces(content, at):
        reading.feed(piece)
    uses = reading.end()
    return None if uses is None else list(uses)


@given(content=st.binary(max_size=300).map(lambda b: b.replace(b"a", b"\n")), at=cuts)
def test_lines_are_those_of_the_whole_however_it_is_cut(content: bytes, at: list[int]) -> None:
    most, got = 20, list[tuple[int, bytes | None]]()
    taken = Lines(lambda place, line: got.append((place, line)), most)

    for piece in pieces(content, at):
        taken.feed(piece)
    if (last := taken.end()) is not None:
        got.append(last)

    split = enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
    wanted = [(n, line.strip() if len(line) <= most else None) for n, line in split]
    assert got == [(n, line) for n, line in wanted if line != b""]


@given(document=jsons, at=cuts, indent=st.booleans())
def test_values_are_those_of_the_whole_however_it_is_cut(
    document: Any, at: list[int], *, indent: bool
) -> None:
    wanted = {("a",), ("a", "b"), ("b", EACH), ("c", "a", EACH), (EACH, "a")}
    got: list[tuple[tuple[str, ...], Any]] = []
    raw = orjson.dumps(document, option=orjson.OPT_INDENT_2 if indent else None)
    values = Values(wanted, lambda path, value: got.append((path, value)), MOST)

    for piece in pieces(raw, at):
        values.feed(piece)

    assert values.end()
    assert [(path, orjson.loads(value)) for path, value in got] == list(
        walked(document, (), wanted)
    )


def walked(value: Any, path: tuple[str, ...], wanted: set[tuple[str, ...]]) -> Iterable[Any]:
    """The outermost values at the wanted paths, in their order."""
    if path in wanted:
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from walked(inner, (*path, key), wanted)
    elif isinstance(value, list):
        for inner in value:
            yield from walked(inner, (*path, EACH), wanted)


@given(document=jsons.filter(lambda d: isinstance(d, dict | list)), cut=st.integers(1, 400))
def test_a_document_that_breaks_off_is_not_whole(document: Any, cut: int) -> None:
    raw = orjson.dumps(document)
    values = Values({("a",)}, lambda _path, _value: None, MOST)

    values.feed(raw[: cut % len(raw)])

    assert not values.end()


def test_a_value_that_is_too_long_is_told_and_not_held() -> None:
    got: list[bytes | None] = []
    values = Values({("a", EACH)}, lambda _path, value: got.append(value), 100)

    for piece in (b'{"a": ["', *[b"x" * 1000] * 50, b'", 1]}'):
        values.feed(piece)
        assert len(values._held) <= 100

    assert values.end()
    assert got == [None, b"1"]


def test_a_document_that_is_nested_too_deep_is_refused() -> None:
    values = Values({("a",)}, lambda _path, _value: None, MOST)

    with pytest.raises(InputError, match="deeper"):
        values.feed(b"[" * 1000)


@given(content=st.binary(max_size=200), at=cuts)
def test_any_bytes_are_a_document_or_are_refused(content: bytes, at: list[int]) -> None:
    values = Values({("a",), (EACH,)}, lambda _path, _value: None, MOST)

    try:
        for piece in pieces(content, at):
            values.feed(piece)
        values.end()
    except InputError:
        pass


@pytest.mark.parametrize("provider", SAMPLES)
@given(data=st.data(), at=cuts)
def test_lines_of_any_form_never_stop_the_reading(
    provider: str, data: st.DataObject, at: list[int]
) -> None:
    first = SAMPLES[provider][0]
    names = st.sampled_from(FIELDS)
    values = st.one_of(
        jsons, st.just("succeeded"), st.just(200), st.integers(), st.just(2**63), st.just("\0")
    )
    objects = st.recursive(values, lambda inner: st.dictionaries(names, inner), max_leaves=8)
    said = data.draw(st.lists(objects.map(lambda o: merged(first, o)), max_size=4))
    content = lines(first) + b"".join(
        line + b"\n" for one in said if (line := dumped(one)) is not None
    )

    found = used(provider, content, at=at)

    assert found is not None
    assert found[0][1].tokens is not None
    assert all(use.gap or use.tokens for _, use in found)


def merged(first: dict[str, Any], other: Any) -> Any:
    """A line of results with something else within."""
    return {**first, **other} if isinstance(other, dict) else other


def dumped(one: Any) -> bytes | None:
    """As JSON, where it can be that."""
    try:
        return orjson.dumps(one)
    except TypeError:
        return None


@given(
    st.lists(
        st.builds(
            Use,
            st.sampled_from(["chat.completions", "embeddings"]),
            st.text(max_size=3),
            st.builds(Tokens, *[st.integers(0, 10**7)] * 5),
        )
        | st.builds(Use, st.just("other"), st.just("m"), gap=st.just("some-gap"))
    )
)
def test_uses_come_out_as_they_went_in(given_: list[Use]) -> None:
    uses = Uses()

    for place, use in enumerate(given_, 1):
        uses.add(place, use)

    assert list(uses) == list(enumerate(given_, 1))
    assert len(uses) == len(given_)
