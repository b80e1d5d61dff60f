"""Options of calls that can wait: the table `[batch]` of the settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.calls.batch.fetched.readdress import results_url
from lichen.calls.batch.stored import header_names
from lichen.calls.option import MILLISECONDS, SIZES, TIMES, choices, text, texts, unit, whole

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """What may wait, for how long, and how fast it is sent. Times in seconds, sizes in bytes.

    Attributes:
        enabled: whether lichen serves the Batch API itself; else it passes to the provider.
        defer: whether the header x-lichen-defer is heard; the call's body is then kept on disk.
        longest: the farthest deadline that a call may ask for.
        margin: how long before its deadline a call is sent whatever the grid.
        concurrency: calls under way at once from the queue of one process.
        requests_per_minute: the most that are sent, 0 for no limit.
        tokens_per_minute: the same in tokens, by estimate, 0 for no limit.
        lease: after so long without a sign of life another process takes a call over.
        kept: how long a delivered answer stays, so that a lost connection loses none.
        files_kept: how long files and undelivered answers stay.
        item_limit: the largest body that may wait.
        queue_limit: calls that may wait at once; beyond, a call is refused with a 503.
        tenant_limit: calls of one credential that may wait at once; beyond, with a 429. Where the
            upstream wants no credential of its callers, nobody checks it: they count together.
        files_limit: bytes of files that one credential may keep; they count together likewise.
        headers: further headers that hold no secret and are stored with a call that waits, or with
            its answer; a call with any that is not known is refused, an answer loses it.
        query: the same of fields of a query.
        provider: "auto" gives what may wait a day to the provider's own batches, where it has them
            (half the price, and its own time); "always" gives it all, "never" none.
        fetched: whether results of batches that clients made at the provider themselves are booked
            when they are fetched through lichen.
        results_url: the address that Anthropic's clients are told to fetch results from: "auto" for
            lichen's own where it is sure, "off" for the provider's, or an address of lichen's.
        window: how long embeddings wait for others to go along with.
        most_items: inputs in one call to the upstream.
        most_tokens: tokens in it, by estimate.
    """

    enabled: str = field(default="off", metadata=choices("off", "on"))
    defer: str = field(default="on", metadata=choices("off", "on"))
    longest: float = field(default=7 * _DAY_S, metadata=unit(TIMES, above_zero=True))
    margin: float = field(default=600.0, metadata=unit(TIMES))
    concurrency: int = field(default=16, metadata=whole(1, 1024))
    requests_per_minute: int = field(default=0, metadata=whole())
    tokens_per_minute: int = field(default=0, metadata=whole())
    lease: float = field(default=30.0, metadata=unit(TIMES, above_zero=True))
    kept: float = field(default=600.0, metadata=unit(TIMES))
    files_kept: float = field(default=7 * _DAY_S, metadata=unit(TIMES, above_zero=True))
    item_limit: float = field(default=8e6, metadata=unit(SIZES, above_zero=True))
    queue_limit: int = field(default=200_000, metadata=whole(1))
    tenant_limit: int = field(default=100_000, metadata=whole(1))
    files_limit: float = field(default=2e9, metadata=unit(SIZES, above_zero=True))
    headers: tuple[str, ...] = field(default=(), metadata=texts(header_names))
    query: tuple[str, ...] = ()
    provider: str = field(default="never", metadata=choices("auto", "always", "never"))
    fetched: str = field(default="on", metadata=choices("off", "on"))
    results_url: str = field(default="auto", metadata=text(results_url))
    window: float = field(default=0.004, metadata=unit(MILLISECONDS))
    most_items: int = field(default=2048, metadata=whole(1))
    most_tokens: int = field(default=300_000, metadata=whole(1))
