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
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlencode

import orjson

from lichen.calls.batch.desk import trouble
from lichen.calls.batch.intake import Refused, deadline_of, kept_headers, new_id
from lichen.calls.batch.item import headers_to_text
from lichen.calls.batch.multipart import Part, form_of
from lichen.calls.batch.pages import failure
from lichen.calls.batch.progress import OURS, advance_all
from lichen.calls.batch.shelf import Batch, File, Made
from lichen.calls.batch.theirs import theirs_of
from lichen.calls.batch.wire import batch_shown, file_shown, metadata_of, page
from lichen.calls.exchange import CREDENTIALS, Answer
from lichen.calls.providers.doors import door_of
from lichen.ledger.errors import InputError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.item import Item
    from lichen.calls.batch.keyring import Keyring
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.batch.sender import Sender
    from lichen.calls.exchange import Exchange, Onward

SECOND_US = 1_000_000
BATCH = "batch_lichen_"
_FILES, _BATCHES = "/v1/files", "/v1/batches"
_PURPOSES = ("batch", "batch_output")
_JSON = (b"content-type", b"application/json")
_PAGE = 20
# Whose clients it is for: Anthropic's and Gemini's have files and batches of other kinds.
_SPOKEN = "openai"
_NONE = Part(b"", "")


class Ways(NamedTuple):
    """How calls go: each alone or in a batch, and those to a target without a caller's key."""

    chosen: Callable[[Item], Item]
    keyless: Callable[[str], bool]


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
        self._desk, self._sender, self._ways = desk, sender, ways
        self._keyring, self._options = keyring, options

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
        return await (self._upload(exchange) if root == "files" else self._begin(exchange))

    async def _of_one(self, exchange: Exchange, root: str, rest: str) -> Answer:
        one_id, _, what = rest.partition("/")
        asked = f"{exchange.method} {root} {what}".strip()
        ways = {
            "GET files": self._file,
            "GET files content": self._content,
            "DELETE files": self._delete,
            "GET batches": self._batch,
            "POST batches cancel": self._cancel,
        }
        if asked not in ways:
            return failure(405, f"{exchange.method} is not for {exchange.target}", "unknown_method")
        answer = await ways[asked](one_id, exchange.tenant)
        return answer or failure(404, f"there is no {one_id} of this credential", "not_found")

    async def _upload(self, exchange: Exchange) -> Answer | None:
        form = form_of(exchange.headers, exchange.body)
        if form is None or form.get("purpose", _NONE).content != b"batch" or "file" not in form:
            return None
        now_us, part = self._sender.now_us(), form["file"]
        await self._check_room(exchange.tenant, len(part.content))
        file = File(
            id=new_id(OURS),
            tenant=exchange.tenant,
            purpose="batch",
            name=part.filename or "batch.jsonl",
            created_us=now_us,
            expires_us=now_us + self._kept_us(form),
            size=len(part.content),
        )
        await self._desk.work(lambda queue: queue.shelf.put_file(Made(file, part.content)))
        return _said(file_shown(file))

    async def _check_room(self, tenant: str, more: int) -> None:
        """Nothing, where a tenant may keep so many bytes more.

        Raises:
            Refused: it has its share.
        """
        kept, most = await self._desk.work(lambda queue: queue.shelf.size_of(tenant)), self._options
        if kept + more > most.files_limit:
            raise Refused(
                f"the files of this credential have {kept} bytes, this one {more}, and "
                f"{most.files_limit:.0f} may be kept (LICHEN_BATCH_FILES_LIMIT): delete some, or "
                "wait until they expire",
                "files_full",
                413,
            )

    def _kept_us(self, form: Mapping[str, Part]) -> int:
        """How long a file stays: as long as it asks for, if that is less than we keep any. [µs]"""
        kept = self._options.files_kept
        asked = form.get("expires_after[seconds]", _NONE).content
        return int(min(kept, float(asked) if asked.isdigit() else kept) * SECOND_US)

    async def _begin(self, exchange: Exchange) -> Answer | None:
        try:
            asked = orjson.loads(exchange.body)
        except orjson.JSONDecodeError:
            return None
        file_id = asked.get("input_file_id") if isinstance(asked, dict) else None
        if not isinstance(file_id, str) or not file_id.startswith(OURS):
            return None
        file = await self._desk.work(lambda queue: queue.shelf.file(file_id, exchange.tenant))
        if file is None:
            return failure(400, f"there is no file {file_id} of this credential", "file_not_found")
        batch = self._new(exchange, asked, file_id)
        await self._desk.work(lambda queue: queue.shelf.put_batch(batch))
        self._keyring.take(exchange)
        self._sender.soon()
        return _said(batch_shown(batch))

    def _new(self, exchange: Exchange, asked: dict[str, Any], file_id: str) -> Batch:
        """The batch that a call asks for.

        Raises:
            Refused: an endpoint, a window or metadata that cannot be.
        """
        endpoint, window = asked.get("endpoint"), asked.get("completion_window")
        if not isinstance(endpoint, str) or not door_of(endpoint.encode()).kind:
            raise Refused(
                f"the endpoint {endpoint!r} is none whose calls lichen reads: use "
                "/v1/chat/completions, /v1/responses, /v1/completions or /v1/embeddings",
                "invalid_endpoint",
            )
        if not isinstance(window, str):
            raise Refused(f'completion_window must be "24h", got {window!r}', "invalid_window")
        now_us = self._sender.now_us()
        has_key = any(name in CREDENTIALS for name, _ in exchange.headers)
        kept = kept_headers(exchange, self._options)
        return Batch(
            id=new_id(BATCH),
            tenant=exchange.tenant,
            endpoint=endpoint,
            input_file=file_id,
            window=window,
            created_us=now_us,
            deadline_us=deadline_of(
                window.encode(), now_us, self._options.longest, "completion_window"
            ),
            headers=headers_to_text([pair for pair in kept if pair[0] != b"content-type"]),
            needs_key=has_key and not self._ways.keyless(endpoint),
            metadata=metadata_of(asked.get("metadata")),
            files_kept_us=int(self._options.files_kept * SECOND_US),
        )

    async def _file(self, file_id: str, tenant: str) -> Answer | None:
        file = await self._desk.work(lambda queue: queue.shelf.file(file_id, tenant))
        return _said(file_shown(file)) if file else None

    async def _content(self, file_id: str, tenant: str) -> Answer | None:
        content = await self._desk.work(lambda queue: queue.shelf.content(file_id, tenant))
        if content is None:
            return None
        kind = (b"content-type", b"application/octet-stream")
        return Answer(200, [kind], content, source="lichen")

    async def _delete(self, file_id: str, tenant: str) -> Answer | None:
        if not await self._desk.work(lambda queue: queue.shelf.drop_file(file_id, tenant)):
            return None
        return _said({"id": file_id, "object": "file", "deleted": True})

    async def _batch(self, batch_id: str, tenant: str) -> Answer | None:
        batch = await self._desk.work(lambda queue: queue.shelf.batch(batch_id, tenant))
        return _said(batch_shown(batch)) if batch else None

    async def _cancel(self, batch_id: str, tenant: str) -> Answer | None:
        batch = await self._desk.work(lambda queue: queue.shelf.batch(batch_id, tenant))
        if batch is None:
            return None
        if batch.status not in ("validating", "in_progress", "cancelling"):
            told = f"{batch_id} is {batch.status} and can no longer be cancelled"
            return failure(409, told, "cannot_cancel")
        if batch.status != "cancelling":
            times = {**batch.times, "cancelling_at": self._sender.now_us()}
            asked = replace(batch, status="cancelling", times=times)
            if await self._desk.work(lambda queue: queue.shelf.advance(asked)):
                batch = asked
            await self._desk.work(lambda queue: queue.shelf.cancel_items(batch_id))
            self._sender.soon()
        return _said(batch_shown(batch))

    async def _listed(
        self, exchange: Exchange, onward: Onward, root: str, query: str
    ) -> Answer | None:
        """Our own first, then the provider's, as far as it has such a list."""
        asked = parse_qs(query)
        after = asked.get("after", [""])[0]
        purpose = asked.get("purpose", [""])[0]
        if (after and not after.startswith((OURS, BATCH))) or (
            purpose and purpose not in _PURPOSES
        ):
            return None
        said = asked.get("limit", [""])[0]
        limit = max(1, min(int(said) if said.isdigit() else _PAGE, 10_000))
        ours = await self._ours(exchange.tenant, root, (purpose, after), limit + 1)
        if len(ours) > limit:
            return _said(page(ours[:limit], more=True))
        asked.pop("after", None)
        rest = urlencode(asked, doseq=True)
        theirs = await theirs_of(
            replace(exchange, target=f"/v1/{root}{'?' if rest else ''}{rest}"), onward
        )
        more = bool(theirs.get("has_more"))
        return _said(page([*ours, *theirs["data"]], more=more))

    async def _ours(
        self, tenant: str, root: str, place: tuple[str, str], most: int
    ) -> list[dict[str, Any]]:
        purpose, after = place
        if root == "batches":
            batches = await self._desk.work(lambda queue: queue.shelf.batches(tenant, after, most))
            return [batch_shown(batch) for batch in batches]
        purposes = (purpose,) if purpose else _PURPOSES
        files = await self._desk.work(
            lambda queue: queue.shelf.files(tenant, purposes, after, most)
        )
        return [file_shown(file) for file in files]

    async def work(self) -> None:
        """Bring batches on: each from its lines to its answers."""
        if await self._desk.work(
            lambda queue: advance_all(
                queue, self._options, self._ways.chosen, self._sender.fullness
            )
        ):
            self._sender.wake()


def _said(what: dict[str, Any]) -> Answer:
    return Answer(200, [_JSON], orjson.dumps(what), source="lichen")
