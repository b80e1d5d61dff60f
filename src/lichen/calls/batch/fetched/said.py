"""Said: what one line of a provider's results says: what it used, that it failed, or nothing.

    OpenAI      {"custom_id": …, "response": {"status_code": 200, "body": {…, "usage": …}}}
    Anthropic   {"custom_id": …, "result": {"type": "succeeded", "message": {…, "usage": …}}}
    Gemini      {"key": …, "response": {…, "usageMetadata": …}}, or the response alone

A line that failed was not billed (OpenAI: an error; Anthropic: errored, canceled, expired; Gemini:
an error or a status): it used nothing. Gemini's batches by OpenAI's dialect give OpenAI's lines.

Source: OpenAI API reference, "The request output object"; Anthropic API reference, "Message
Batches" (results); Gemini API reference, "Batch API" (GenerateContentBatchOutput, InlinedResponse,
EmbedContentBatchOutput), 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lichen.calls.batch.fetched.uses import Use
from lichen.calls.providers.anthropic.dialect import ANTHROPIC
from lichen.calls.providers.doors import NOT_MODELLED
from lichen.calls.providers.gemini.dialect import GEMINI
from lichen.calls.providers.gemini.names import object_of, value_of
from lichen.calls.providers.openai.dialect import OPENAI
from lichen.calls.providers.plausible import is_possible
from lichen.calls.providers.view import whole
from lichen.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.providers.dialect import Dialect

    Line = Mapping[str, Any]

NOT_TOLD = "batch-line-without-usage"
IMPLAUSIBLE = "batch-line-implausible"
# What OpenAI calls an answer of each kind.
_KINDS = {
    "chat.completion": "chat.completions",
    "response": "responses",
    "text_completion": "completions",
    "list": "embeddings",
}
_OK = range(200, 300)
# The longest name of a model that is kept.
_LONGEST = 128


class Said(NamedTuple):
    """How a provider's lines are read.

    `is_line` says whether a line is one of results; `use` what it used, None for nothing.
    """

    is_line: Callable[[Line], bool]
    use: Callable[[Line], Use | None]


def _openai(line: Line) -> Use | None:
    response = line.get("response")
    if not isinstance(response, dict) or response.get("status_code") not in _OK:
        return None
    body = response.get("body")
    if not isinstance(body, dict):
        return Use("other", "", gap=NOT_TOLD)
    kind = _KINDS.get(str(body.get("object")))
    if kind is None:
        return Use("other", _named(body.get("model")), gap=NOT_MODELLED)
    return _use(OPENAI, kind, body, body.get("model"))


def _anthropic(line: Line) -> Use | None:
    result = line["result"]
    if result.get("type") != "succeeded":
        return None
    message = result.get("message")
    if not isinstance(message, dict):
        return Use("messages", "", gap=NOT_TOLD)
    return _use(ANTHROPIC, "messages", message, message.get("model"))


def _gemini(line: Line) -> Use | None:
    if _is_openai(line):
        return _openai(line)
    response = object_of(line, "response") or line
    if not _is_gemini_answer(response):
        return None
    if "embedding" in response or "embeddings" in response:
        return _embedding(response)
    return _use(GEMINI, "generate_content", response, value_of(response, "modelVersion"))


def _embedding(response: Line) -> Use:
    """An embedding tells its tokens as a generated answer does, or by `tokenCount` alone."""
    count = whole(value_of(response, "tokenCount"))
    if count is not None:
        return _checked(Use("embed_content", "", Tokens(prefill=count)))
    return _use(GEMINI, "embed_content", response, None)


def _use(dialect: Dialect, kind: str, answer: Line, model: object) -> Use:
    named = _named(model)
    tokens = dialect.usage(kind, answer)
    if tokens is None:
        return Use(kind, named, gap=NOT_TOLD)
    return _checked(Use(kind, named, tokens))


def _named(model: object) -> str:
    """A model's name; empty where it is none."""
    return model[:_LONGEST] if isinstance(model, str) and model.isprintable() else ""


def _checked(use: Use) -> Use:
    """A use that can be; counts that nobody can have used are none."""
    if use.tokens is None or is_possible(use.tokens):
        return use
    return Use(use.kind, use.model, gap=IMPLAUSIBLE)


def _is_openai(line: Line) -> bool:
    return "custom_id" in line and "response" in line


def _is_anthropic(line: Line) -> bool:
    return "custom_id" in line and isinstance(line.get("result"), dict)


def _is_gemini_answer(line: Line) -> bool:
    told = ("candidates", "usageMetadata", "usage_metadata", "embedding", "embeddings")
    return any(name in line for name in told)


def _is_gemini(line: Line) -> bool:
    answered = any(isinstance(line.get(name), dict) for name in ("response", "error", "status"))
    return answered or _is_gemini_answer(line)


SAID = {
    "openai": Said(_is_openai, _openai),
    "anthropic": Said(_is_anthropic, _anthropic),
    "gemini": Said(_is_gemini, _gemini),
}
