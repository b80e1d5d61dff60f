"""GeminiBatchApi: the Batch API of Gemini as a script, as far as making, finding and reading go.

    upstream.script = api = GeminiBatchApi()

Each batch is done at its second look. A text "bad" is refused within its batch, "slow" fails
there, and all else is answered "to TEXT". With `keys` answers bear the key of their request;
`in_file` puts them into a file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lichen.testing.gemini_answers import content_object
from lichen.testing.provider import by_kind
from lichen.testing.provider_answers import Reply

if TYPE_CHECKING:
    from lichen.testing.provider import Received

_ACTION = ":batchGenerateContent"
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
_ERRORS = {
    "bad": {"code": 3, "message": "bad", "status": "INVALID_ARGUMENT"},
    "slow": {"code": 13, "message": "slow"},
}


class GeminiBatchApi:
    """A script for a `ScriptedProvider`; `made` are the bodies that made batches."""

    def __init__(self, *, keys: bool = False, in_file: bool = False) -> None:
        self._keys, self._in_file = keys, in_file
        self.made: list[dict[str, Any]] = []
        self.looks: dict[str, int] = {}
        self._models: list[str] = []

    def __call__(self, call: Received) -> Reply:
        """The answer to a call."""
        path = call.target.partition("?")[0].replace("/v1/", "/v1beta/")
        if path.endswith(_ACTION):
            self.made.append(json.loads(call.body))
            self._models.append(path.rpartition("/models/")[2].removesuffix(_ACTION))
            return _told(self._state(len(self.made), done=False))
        if path == "/v1beta/batches":
            there = range(len(self.made), 0, -1)
            return _told({"operations": [self._state(n, done=True) for n in there]})
        name = path.removeprefix("/v1beta/")
        if name.startswith("batches/"):
            self.looks[name] = self.looks.get(name, 0) + 1
            number = int(name.removeprefix("batches/b"))
            return _told(self._state(number, done=self.looks[name] > 1))
        if path.startswith("/download/v1beta/files/b"):
            number = int(path.removeprefix("/download/v1beta/files/b").partition(":")[0])
            lines = "\n".join(map(json.dumps, self._answers(number)))
            return Reply(chunks=(lines.encode(),))
        return by_kind(call)

    def _state(self, number: int, *, done: bool) -> dict[str, Any]:
        batch, name = self.made[number - 1]["batch"], f"batches/b{number}"
        told: dict[str, Any] = {
            "@type": _TYPE,
            "name": name,
            "model": f"models/{self._models[number - 1]}",
            "displayName": batch["displayName"],
            "createTime": "2026-11-25T11:55:07Z",
            "state": "BATCH_STATE_SUCCEEDED" if done else "BATCH_STATE_RUNNING",
        }
        made: dict[str, Any] = {"name": name, "metadata": told}
        if done:
            within = {"inlinedResponses": {"inlinedResponses": self._answers(number)}}
            output = {"responsesFile": f"files/b{number}"} if self._in_file else within
            told["output"] = output
            made |= {"done": True, "response": {"@type": _TYPE, **output}}
        return made

    def _answers(self, number: int) -> list[dict[str, Any]]:
        requests = self.made[number - 1]["batch"]["inputConfig"]["requests"]["requests"]
        return [self._answer(one) for one in requests]

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        text = asked["request"]["contents"][0]["parts"][0]["text"]
        error = _ERRORS.get(text)
        made: dict[str, Any] = {"error": error} if error else {}
        made = made or {"response": content_object(f"to {text}")}
        return {**made, "metadata": asked["metadata"]} if self._keys else made


def _told(what: dict[str, Any]) -> Reply:
    return Reply(chunks=(json.dumps(what).encode(),))
