"""The small parts of calls that wait: pace, forms, lines, what a retry waits for."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.calls.batch.attempt import retry_after_s
from lichen.calls.batch.intake import Refused, deadline_of
from lichen.calls.batch.lines import MOST, read_lines
from lichen.calls.batch.multipart import form_of
from lichen.calls.batch.pace import Pace
from lichen.calls.batch.shelf import Batch

BATCH = Batch(
    id="batch_lichen_1",
    tenant="t",
    endpoint="/v1/chat/completions",
    input_file="file-lichen-1",
    window="24h",
    created_us=0,
    deadline_us=1,
    headers="[]",
    needs_key=False,
)
GOOD = {"custom_id": "a", "method": "POST", "url": BATCH.endpoint, "body": {"model": "m"}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_pace_keeps_to_requests_a_minute() -> None:
    clock = Clock()
    pace = Pace(60, 0, clock=clock)
    sent = 0

    for _ in range(600):
        while pace.room(100):
            pace.took(b"")
            sent += 1
        clock.now += 0.1

    assert 60 <= sent <= 63


def test_a_pace_keeps_to_tokens_a_minute() -> None:
    clock = Clock()
    pace = Pace(0, 600, clock=clock)
    tokens = 0

    for _ in range(600):
        if pace.room(1):
            pace.took(b"x" * 400)
            tokens += 100
        clock.now += 0.1

    assert 500 <= tokens <= 720


def test_a_pause_lets_nothing_go() -> None:
    clock = Clock()
    pace = Pace(0, 0, clock=clock)

    pace.pause(5)
    held = pace.room(9)
    clock.now = 5.1

    assert held == 0
    assert pace.room(9) == 9


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([(b"retry-after", b"7")], 7.0),
        ([(b"retry-after-ms", b"250"), (b"retry-after", b"7")], 0.25),
        ([(b"retry-after", b"Thu, 01 Jan 1970 00:01:00 GMT")], 60.0),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"-3")], None),
        ([], None),
    ],
)
def test_what_a_retry_waits_for(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    found = retry_after_s(headers, 0)

    assert found == seconds


def form(*parts: bytes, boundary: bytes = b"xyz") -> tuple[list[tuple[bytes, bytes]], bytes]:
    kind = b'multipart/form-data; boundary="%b"' % boundary
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return [(b"content-type", kind)], body + b"--%b--\r\n" % boundary


@given(st.binary(max_size=200).filter(lambda raw: b"--xyz" not in raw))
def test_any_content_of_a_form_comes_byte_for_byte(raw: bytes) -> None:
    headers, body = form(
        b'content-disposition: form-data; name="purpose"\r\n\r\nbatch',
        b'Content-Disposition: form-data; name="file"; filename="a \\"b\\".jsonl"\r\n\r\n' + raw,
    )

    made = form_of(headers, body)

    assert made is not None
    assert made["purpose"].content == b"batch"
    assert made["file"] == (raw, 'a "b".jsonl')


@given(st.binary(max_size=300))
def test_no_body_breaks_the_reader_of_forms(raw: bytes) -> None:
    made = form_of([(b"content-type", b"multipart/form-data; boundary=xyz")], raw)

    assert made is None or isinstance(made, dict)


def test_lines_become_items_in_their_order() -> None:
    lines = [{**GOOD, "custom_id": name} for name in "abc"]
    raw = b"\xef\xbb\xbf" + b"\r\n\n".join(json.dumps(line).encode() for line in lines) + b"\n"

    items, errors = read_lines(raw, BATCH, 8e6)

    assert errors == []
    assert [item.name for item in items] == ["a", "b", "c"]
    assert len({item.key for item in items}) == 3
    assert json.loads(items[0].body) == {"model": "m"}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("{", "invalid_json_line"),
        ("[1]", "invalid_json_line"),
        ({"custom_id": "a"}, "missing_required_parameter"),
        ({**GOOD, "custom_id": 7}, "invalid_type"),
        ({**GOOD, "method": "GET"}, "invalid_method"),
        ({**GOOD, "url": "/v1/embeddings"}, "mismatched_endpoint"),
        ({**GOOD, "body": "text"}, "invalid_type"),
        ({**GOOD, "body": {"stream": True}}, "invalid_request"),
        ({**GOOD, "body": {"text": "x" * 900}}, "request_too_large"),
    ],
)
def test_a_wrong_line_is_named(line: Any, code: str) -> None:
    raw = line if isinstance(line, str) else json.dumps(line)
    good = json.dumps({**GOOD, "custom_id": "first"})

    items, errors = read_lines(f"{good}\n{raw}".encode(), BATCH, 500)

    assert items == []
    assert [(error["code"], error["line"]) for error in errors] == [(code, 2)]


def test_a_name_that_stands_twice_is_named() -> None:
    line = json.dumps(GOOD)

    _, errors = read_lines(f"{line}\n{line}".encode(), BATCH, 8e6)

    assert [(error["code"], error["line"]) for error in errors] == [("duplicate_custom_id", 2)]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"body": {}}, "'body' is empty"),
        ({"body": None}, "'body' is missing"),
        ({"body": []}, "'body' must be a JSON object"),
        ({"custom_id": ""}, "'custom_id' is empty"),
        ({"custom_id": 0}, "'custom_id' must be a text"),
    ],
)
def test_what_is_wrong_with_a_line_is_called_what_it_is(changed: dict[str, Any], told: str) -> None:
    line = json.dumps({**GOOD, **changed}).encode()

    [error] = read_lines(line, BATCH, 8e6).errors

    assert error["message"] == told
    assert error["param"] == next(iter(changed))


def test_too_many_lines_and_none_are_refused() -> None:
    many = b"\n".join(b'{"custom_id": "%d"}' % n for n in range(MOST + 1))
    good = b"\n".join(json.dumps({**GOOD, "custom_id": str(n)}).encode() for n in range(MOST + 1))

    wrong = read_lines(many, BATCH, 8e6).errors
    too_many = read_lines(good, BATCH, 8e6).errors
    none = read_lines(b"\n \n", BATCH, 8e6).errors

    assert len(wrong) == 100
    assert [error["code"] for error in too_many] == ["too_many_tasks"]
    assert [error["code"] for error in none] == ["empty_file"]


@given(st.binary(max_size=60))
def test_any_header_is_a_deadline_or_is_refused(said: bytes) -> None:
    deadline = None

    with suppress(Refused):
        deadline = deadline_of(said, 10**15, 7 * 86_400)

    assert deadline is None or 10**15 < deadline <= 10**15 + 7 * 86_400 * 10**6
