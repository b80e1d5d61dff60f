"""Signs: what can be seen of an answer without knowing the right one.

    empty        no words and no tool is called
    refused      it says that it cannot, or that what was given does not say
    cut          it ended for its length, or was filtered
    misshapen    JSON was asked for, and it is none
    asked again  the same tenant sends the same call once more within ten minutes
    disliked     a user says so: `x-lichen-feedback: bad ID`

None of them proves a bad answer, and most bad answers show none. They are compared between calls
whose prompts were shortened and calls drawn to be left alone: what is no fault of the shortening is
in both.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from lichen.calls.exchange import Call

# How models say that they were not given what they need. Looked for in the first part of an answer.
_SAYS_SO = re.compile(
    r"\b(?:not (?:in|contained in|mentioned in|provided in|included in|part of|present in) the "
    r"(?:\w+ )?(?:context|text|document|documents|data|logs?|table|passage|information)|"
    r"(?:does|do|did) ?n[o']t (?:mention|contain|include|specify|say|provide|appear)|"
    r"no (?:mention|information|record|entry|data) (?:of|about|on|for)|"
    r"(?:cannot|can't|can ?not|could ?n[o']t|unable to) (?:find|determine|answer|locate|tell|help)|"
    r"I(?:'m| am) (?:sorry|unable)|not enough (?:information|context)|insufficient information|"
    r"I do ?n[o']t (?:know|have (?:enough|access|that|the)))",
    re.IGNORECASE,
)
_LOOKED_AT = 600
_CUT = re.compile(
    rb'"(?:finish_reason|stop_reason|finishReason|status)"\s*:\s*'
    rb'"(?:length|max_tokens|MAX_TOKENS|content_filter|incomplete|SAFETY|refusal)"'
)
# The end of an answer, where it says why it ended. [byte]
_END = 4096


def signs(call: Call, body: bytes) -> tuple[str, ...]:
    """The signs that a whole and sound answer shows."""
    dialect = call.dialect
    text = dialect.answer_text(call.kind, body)
    found: list[str] = []
    if not text.strip():
        if not dialect.calls_tools(call.kind, body):
            found.append("empty")
    elif _SAYS_SO.search(text[:_LOOKED_AT]):
        found.append("refused")
    if _CUT.search(body if len(body) <= 2 * _END else body[:_END] + body[-_END:]):
        found.append("cut")
    if text and asks_for_json(dialect.view(call).format) and not _is_json(text):
        found.append("misshapen")
    return tuple(found)


def asks_for_json(form: Mapping[str, Any]) -> bool:
    """Whether a call asks for an answer in JSON, in any dialect."""
    told = json.dumps(form, default=str)
    return any(word in told for word in ('"json_object"', '"json_schema"', '"application/json"'))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
