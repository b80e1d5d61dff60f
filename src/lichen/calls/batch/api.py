"""Api: /v1/files and /v1/batches as OpenAI's clients know them, served by lichen.

    client.files.create(file=…, purpose="batch")          kept here
    client.batches.create(input_file_id=…, …)             its lines go into the queue
    client.batches.retrieve, list, cancel; client.files.content, retrieve, list, delete

Files of other purposes, and files and batches that the provider made, are the provider's: calls for
them pass, and its lists are shown after our own. Everything is its caller's alone.

Source: OpenAI API reference, "Batch", "Files".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode

from lichen.calls.batch.batching import BATCH, Batching, Ways
from lichen.calls.batch.desk import trouble
from lichen.calls.batch.filing import PURPOSES, Filing
from lichen.calls.batch.intake import Refused
from lichen.calls.batch.pages import failure
from lichen.calls.batch.progress import OURS
from lichen.calls.batch.theirs import theirs_of
from lichen.calls.batch.wire import page, said
from lichen.ledger.errors import InputError, StoreUnavailable

if TYPE_CHECKING:
    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.keyring import Keyring
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.batch.sender import Sender
    from lichen.calls.exchange import Answer, Exchange, Onward

_FILES, _BATCHES = "/v1/files", "/v1/batches"
_PAGE = 20
# Whose clients it is for: Anthropic's and Gemini's have files and batches of other kinds.
_SPOKEN = "openai"


class BatchApi:
    """Answers for files and batches of its own; passes on the provider's."""

    def __init__(
        self,
        desk: Desk,
        sender: Sender,
        keyring: Keyring,
        options: BatchOptions,
        ways: Ways,
    ) -> None:
        self._filing = Filing(desk, sender, options, ways.keyless)
        self._batching = Batching(desk, sender, keyring, options, ways)
        self.work = self._batching.work

    def serves(self, exchange: Exchange) -> bool:
        """Whether a request is one for files or batches."""
        if exchange.provider != _SPOKEN:
            return False
        path = exchange.target.partition("?")[0]
        return path in (_FILES, _BATCHES) or path.startswith((f"{_FILES}/", f"{_BATCHES}/"))

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Answer, or pass on what is the provider's."""
        path, _, query = exchange.target.partition("?")
        root, _, rest = path.removeprefix("/v1/").partition("/")
        try:
            if not rest:
                answer = await self._of_all(exchange, onward, root, query)
            elif rest.startswith((OURS, BATCH)):
                answer = await self._of_one(exchange, root, rest)
            else:
                answer = None
        except Refused as refused:
            return failure(refused.status, str(refused), refused.code)
        except (StoreUnavailable, InputError) as error:
            return failure(*trouble(error))
        return answer if answer is not None else await onward(exchange)

    async def _of_all(
        self, exchange: Exchange, onward: Onward, root: str, query: str
    ) -> Answer | None:
        if exchange.method == "GET":
            return await self._listed(exchange, onward, root, query)
        if exchange.method != "POST":
            return None
        filing, batching = self._filing, self._batching
        return await (filing.upload(exchange) if root == "files" else batching.begin(exchange))

    async def _of_one(self, exchange: Exchange, root: str, rest: str) -> Answer:
        one_id, _, what = rest.partition("/")
        asked = f"{exchange.method} {root} {what}".strip()
        ways = {
            "GET files": self._filing.shown,
            "GET files content": self._filing.content,
            "DELETE files": self._filing.delete,
            "GET batches": self._batching.shown,
            "POST batches cancel": self._batching.cancel,
        }
        if asked not in ways:
            return failure(405, f"{exchange.method} is not for {exchange.target}", "unknown_method")
        answer = await ways[asked](one_id, exchange.tenant)
        return answer or failure(404, f"there is no {one_id} of this credential", "not_found")

    async def _listed(
        self, exchange: Exchange, onward: Onward, root: str, query: str
    ) -> Answer | None:
        """Our own first, then the provider's, as far as it has such a list."""
        asked = parse_qs(query)
        after = asked.get("after", [""])[0]
        purpose = asked.get("purpose", [""])[0]
        if (after and not after.startswith((OURS, BATCH))) or (purpose and purpose not in PURPOSES):
            return None
        most = asked.get("limit", [""])[0]
        limit = max(1, min(int(most) if most.isdigit() else _PAGE, 10_000))
        whose = self._batching if root == "batches" else self._filing
        ours = await whose.listed(exchange.tenant, (purpose, after), limit + 1)
        if len(ours) > limit:
            return said(page(ours[:limit], more=True))
        asked.pop("after", None)
        rest = urlencode(asked, doseq=True)
        theirs = await theirs_of(
            replace(exchange, target=f"/v1/{root}{'?' if rest else ''}{rest}"), onward
        )
        more = bool(theirs.get("has_more"))
        return said(page([*ours, *theirs["data"]], more=more))
