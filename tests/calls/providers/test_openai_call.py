"""What a call asks: read from its body, whatever the body holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from lichen.calls.providers.openai.dialect import OPENAI
from lichen.ledger.errors import InputError
from lichen.ledger.rollup import Period
from lichen.testing.upstreams import ScriptedUpstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Call
    from lichen.testing.callers import House

    Build = Callable[..., House]


def call(kind: str = "chat.completions", **fields: Any) -> Call:
    return OPENAI.read_call(kind, b"", orjson.dumps({"model": "m", **fields}))


def test_a_call_knows_its_kind_its_model_and_whether_it_streams() -> None:
    made = call(stream=True)

    assert (made.kind, made.model, made.stream) == ("chat.completions", "m", True)


@pytest.mark.parametrize("temperature", [0, 0.0, -0.0])
def test_temperature_0_is_deterministic(temperature: float) -> None:
    assert call(temperature=temperature).deterministic


@pytest.mark.parametrize("temperature", [None, False, "0", 0.1, 1, [], {}])
def test_any_other_temperature_is_sampled(temperature: object) -> None:
    assert not call(temperature=temperature).deterministic


def test_no_temperature_is_sampled() -> None:
    assert not call().deterministic


def test_a_seed_is_deterministic_at_any_temperature() -> None:
    assert call(seed=0, temperature=1).deterministic
    assert not call(seed=None, temperature=1).deterministic


def test_embeddings_are_deterministic() -> None:
    assert call("embeddings", input="text").deterministic


@pytest.mark.parametrize(
    "state",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": {"id": "conv_1"}},
        {"background": True},
        {"prompt": {"id": "pmpt_1"}},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"type": "function", "name": "f"}, {"type": "mcp", "server_url": "https://x"}]},
        {"tools": ["nonsense"]},
    ],
)
def test_a_response_that_leans_on_a_state_is_never_deterministic(state: dict[str, Any]) -> None:
    made = call("responses", input="Hello", temperature=0, **state)

    assert not made.reusable
    assert not made.deterministic


@pytest.mark.parametrize(
    "plain",
    [
        {"previous_response_id": None},
        {"background": False},
        {"tools": []},
        {"tools": [{"type": "function", "name": "f"}]},
    ],
)
def test_a_response_without_a_state_is_like_any_other_call(plain: dict[str, Any]) -> None:
    made = call("responses", input="Hello", temperature=0, **plain)

    assert made.reusable
    assert made.deterministic


def test_a_chat_that_searches_the_web_leans_on_a_state() -> None:
    assert not call(temperature=0, web_search_options={"search_context_size": "low"}).reusable


def test_the_prompt_of_a_completion_is_no_state() -> None:
    assert call("completions", prompt="Once upon", temperature=0).deterministic


@pytest.mark.parametrize("model", [None, 7, ["m"], {"a": 1}])
def test_a_model_that_is_no_name_is_for_the_upstream_to_judge(model: object) -> None:
    made = OPENAI.read_call("chat.completions", b"", orjson.dumps({"model": model}))

    assert made.model == ""


@pytest.mark.parametrize("body", [b"", b"{", b"{]", b'{"a": 1,}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InputError, match="not valid JSON"):
        OPENAI.read_call("chat.completions", b"", body)


@pytest.mark.parametrize(("body", "kind"), [(b"[]", "list"), (b"7", "int"), (b'"a"', "str")])
def test_a_body_that_is_no_object_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(InputError, match=f"must be a JSON object, got {kind}"):
        OPENAI.read_call("chat.completions", b"", body)


@pytest.mark.parametrize("odd", [b'"\\ud83d"', b"NaN", b"1e999"])
def test_what_services_take_and_strict_json_does_not_is_read_all_the_same(odd: bytes) -> None:
    made = OPENAI.read_call(
        "chat.completions", b"", b'{"model": "m", "temperature": 0, "odd": %b}' % odd
    )

    assert made.model == "m"
    assert not made.reusable
    assert not made.deterministic


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "api_error"),
    ],
)
def test_an_error_has_the_providers_own_shape(status: int, kind: str) -> None:
    error = orjson.loads(OPENAI.error_body(status, "what happened", "a_code"))

    assert error == {
        "error": {"message": "what happened", "type": kind, "param": None, "code": "a_code"}
    }


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}],
        [{"type": "input_image", "image_url": "http://example.com/cat.png"}],
        [{"type": "input_file", "file_url": "https://example.com/a.pdf"}],
    ],
)
def test_what_lies_elsewhere_may_be_another_thing_tomorrow(content: list[Any]) -> None:
    fields = {"model": "m", "temperature": 0, "messages": [{"role": "user", "content": content}]}

    assert not OPENAI.read_call("chat.completions", b"", orjson.dumps(fields)).reusable


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
        'look: {"image_url": "https://example.com/cat.png"}',
    ],
)
def test_what_comes_with_the_call_is_the_same_tomorrow(content: Any) -> None:
    fields = {"model": "m", "temperature": 0, "messages": [{"role": "user", "content": content}]}

    assert OPENAI.read_call("chat.completions", b"", orjson.dumps(fields)).reusable


async def test_a_models_name_is_bounded_in_the_book_and_whole_in_the_call(build: Build) -> None:
    told = "m" * 150 + "\x1b[31m\n\u202e" + "a secret prompt " * 20_000
    house = build()
    ask = {"model": told, "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}

    await house.ask(ask)
    again = await house.ask(ask)
    other = await house.ask(ask | {"model": told + "!"})

    assert isinstance(house.upstream, ScriptedUpstream)
    assert orjson.loads(house.upstream.calls[0].body)["model"] == told
    assert again.answer_headers["x-lichen-cache"] == "hit"
    assert other.answer_headers["x-lichen-cache"] == "miss"
    names = {entry.figures.model for entry in house.entries}
    assert len(names) == 1
    assert all(len(name) < 200 and name.isprintable() for name in names)
    assert {row.model for row in house.book.store.totals(Period.DAY)} == names


def test_a_models_name_of_usual_length_is_kept_as_it_is() -> None:
    name = "org/Größe-8B:free@2026 (int4)"

    assert OPENAI.read_call("embeddings", b"", orjson.dumps({"model": name})).model == name
