"""Filing: /v1/files of purpose "batch", kept by lichen, as OpenAI's clients know them.

Files of other purposes are the provider's. Every file is its caller's alone.

Source: OpenAI API reference, "Files".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lichen.calls.batch.intake import Refused, new_id
from lichen.calls.batch.multipart import Part, form_of
from lichen.calls.batch.progress import OURS
from lichen.calls.batch.shelf import File, Made
from lichen.calls.batch.wire import file_shown, said
from lichen.calls.exchange import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lichen.calls.batch.desk import Desk
    from lichen.calls.batch.options import BatchOptions
    from lichen.calls.batch.sender import Sender
    from lichen.calls.exchange import Exchange

SECOND_US = 1_000_000
PURPOSES = ("batch", "batch_output")
_NONE = Part(b"", "")


class Filing:
    """Answers for files; `keyless` says whether calls to a target need no key of their caller."""

    def __init__(
        self, desk: Desk, sender: Sender, options: BatchOptions, keyless: Callable[[str], bool]
    ) -> None:
        self._desk, self._sender = desk, sender
        self._options, self._keyless = options, keyless

    async def upload(self, exchange: Exchange) -> Answer | None:
        """Keep a file; None where it is not for a batch.

        Raises:
            Refused: its caller's files are too large together.
        """
        form = form_of(exchange.headers, exchange.body)
        if form is None or form.get("purpose", _NONE).content != b"batch" or "file" not in form:
            return None
        now_us, part = self._sender.now_us(), form["file"]
        whose = None if self._keyless(exchange.target) else exchange.tenant
        await self._check_room(whose, len(part.content))
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
        return said(file_shown(file))

    async def _check_room(self, tenant: str | None, more: int) -> None:
        """Nothing, where a tenant, or all where nobody checks it, may keep so many bytes more.

        Raises:
            Refused: that is more than its share.
        """
        kept, most = await self._desk.work(lambda queue: queue.shelf.size_of(tenant)), self._options
        if kept + more > most.files_limit:
            raise Refused(
                f"the files of {'all' if tenant is None else 'this credential'} have {kept} bytes, "
                f"this one {more}, and {most.files_limit:.0f} may be kept "
                "(LICHEN_BATCH_FILES_LIMIT): delete some, or wait until they expire",
                "files_full",
                413,
            )

    def _kept_us(self, form: Mapping[str, Part]) -> int:
        """How long a file stays: as long as it asks for, if that is less than we keep any. [µs]"""
        kept = self._options.files_kept
        asked = form.get("expires_after[seconds]", _NONE).content
        return int(min(kept, float(asked) if asked.isdigit() else kept) * SECOND_US)

    async def shown(self, file_id: str, tenant: str) -> Answer | None:
        """A file's particulars; None where the caller has none of that id."""
        file = await self._desk.work(lambda queue: queue.shelf.file(file_id, tenant))
        return said(file_shown(file)) if file else None

    async def content(self, file_id: str, tenant: str) -> Answer | None:
        """What is in a file."""
        content = await self._desk.work(lambda queue: queue.shelf.content(file_id, tenant))
        if content is None:
            return None
        kind = (b"content-type", b"application/octet-stream")
        return Answer(200, [kind], content, source="lichen")

    async def delete(self, file_id: str, tenant: str) -> Answer | None:
        """Delete a file."""
        if not await self._desk.work(lambda queue: queue.shelf.drop_file(file_id, tenant)):
            return None
        return said({"id": file_id, "object": "file", "deleted": True})

    async def listed(self, tenant: str, place: tuple[str, str], most: int) -> list[dict[str, Any]]:
        """A caller's files of a purpose, or of all, the newest first, after one of them."""
        purpose, after = place
        purposes = (purpose,) if purpose else PURPOSES
        files = await self._desk.work(
            lambda queue: queue.shelf.files(tenant, purposes, after, most)
        )
        return [file_shown(file) for file in files]
