"""Exchange, Answer, Step: a call on its way through lichen, as layers of an onion.

    step(exchange, onward) -> answer

An `Exchange` is what a client asks, an `Answer` what it gets; a `Step` may answer itself, change
what goes onward, or look at what comes back. The innermost layer is an `Upstream`. The words
request and response are left to HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from lichen.calls.acts import Act
    from lichen.calls.charge import Charge
    from lichen.calls.directives import Directives
    from lichen.calls.providers.dialect import Dialect
    from lichen.calls.rules import RouteRule
    from lichen.ledger.ports import CallReading
    from lichen.ledger.tokens import Tokens

    Onward = Callable[["Exchange"], Awaitable["Answer"]]
    Toll = Callable[["Exchange", Onward], Awaitable["Answer"]]

# Where a client may put its credential: who shows the same ones is one tenant.
# Source: OpenAI, Azure OpenAI, Azure API Management and Gemini API references, "Authentication".
CREDENTIALS = frozenset(
    (b"authorization", b"api-key", b"x-api-key", b"ocp-apim-subscription-key", b"x-goog-api-key")
)
# Headers of one connection, not of the message (RFC 9110 §7.6.1), and those we set ourselves.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
# Header names are lower-case; names and values are kept as the bytes that came.
Headers = list[tuple[bytes, bytes]]


class Stream(Protocol):
    """The chunks of an answer as they come.

    Whoever holds one reads it to its end or calls `aclose`; closing twice, or after the end, is
    fine. A chunk is what came in one piece, not a frame: frames may be split anywhere.
    """

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Itself."""

    def __anext__(self) -> Awaitable[bytes]:
        """The next chunk.

        Raises:
            StopAsyncIteration: the answer has come to its end.
            UpstreamError: it broke off.
        """

    def aclose(self) -> Awaitable[object]:
        """Read no more, and let go of what it holds, even where nothing was read yet."""


@dataclass(slots=True)
class Call:
    """What an exchange asks of a model, where lichen can read it.

    `reusable` says that an answer may fit an identical call: it leans on no state that moves on,
    and every value in it was read exactly. `dialect` is the wire format it came in; `as_array`
    says that its stream is one JSON array in pieces and no server-sent events.
    """

    kind: str
    fields: dict[str, Any]
    model: str
    stream: bool
    deterministic: bool
    reusable: bool
    dialect: Dialect
    as_array: bool = False


@dataclass(slots=True)
class Noted:
    """What the steps noted of one exchange.

    `beside` is what models took for it that its own entry does not hold [J]: trials count it.
    """

    acts: list[Act] = field(default_factory=list)
    held: dict[str, bool] = field(default_factory=dict)
    raw: dict[str, float | str] = field(default_factory=dict)
    on_done: list[Callable[[Record, bytes], None]] = field(default_factory=list)
    beside: float = 0.0


@dataclass(slots=True)
class Exchange:
    """One call: the bytes as they came, who asks, and what lichen read in them.

    `tenant` is the hash of the credential. `provider` names whose upstream answers. `key` is the
    canonical hash of everything that changes the answer; empty where the call cannot be answered
    from a store.
    """

    method: str
    target: str
    headers: Headers
    body: bytes
    tenant: str
    started_us: int
    directives: Directives
    call: Call | None = None
    rule: RouteRule | None = None
    key: bytes = b""
    # The policy withholds a stored answer from this call: it asks for a new one each time.
    withheld: bool = False
    # Hears of a whole and sound answer, once what is known of it stands in its record.
    on_answer: Callable[[Record], None] | None = None
    provider: str = "openai"
    # Who pays: the tenant, by the one credential that the provider reads; one for all callers where
    # lichen's own key pays.
    payer: str = ""
    # What the book says of a POST that lichen cannot read; nothing where it asks no model.
    gap: str = "not-modelled"
    # What is to be done before the call is made for itself and not with another's (coalesce.py).
    toll: Toll | None = None
    # What budgets were charged for it: whoever lets the call wait keeps that open.
    charge: Charge | None = None
    # What steps noted; made by the first of them, since most calls have none.
    noted: Noted | None = None

    @property
    def acts(self) -> list[Act]:
        """What steps changed, outermost first: each gets a line of the book."""
        return self._noting().acts

    @property
    def held(self) -> dict[str, bool]:
        """By strategy, whether the holdout left this call alone."""
        return self._noting().held

    @property
    def raw(self) -> dict[str, float | str]:
        """What the call's own entry says beside its tokens."""
        return self._noting().raw

    @property
    def on_done(self) -> list[Callable[[Record, bytes], None]]:
        """Hear of the whole and sound answer once it is booked, with its body.

        The body is empty where a stream was longer than what may be kept of it.
        """
        return self._noting().on_done

    def took_beside(self, joules: float) -> None:
        """A model was asked for this call, and its answer is booked by itself. [J]"""
        self._noting().beside += joules

    def _noting(self) -> Noted:
        if self.noted is None:
            self.noted = Noted()
        return self.noted


@dataclass(slots=True)
class Record:
    """What one upstream call used; complete when its answer is, or its stream has ended.

    `sound` is false where a whole answer is no answer: rubbish, or an error that calls itself well.
    """

    entry_id: str
    model: str
    started_us: int
    zone: str
    method: str = ""
    factors: str = ""
    tokens: Tokens | None = None
    reading: CallReading | None = None
    cpu_seconds: float | None = None
    gaps: tuple[str, ...] = ()
    size: int = 0
    digest: str = ""
    sound: bool = True


@dataclass(frozen=True, slots=True)
class Served:
    """Who answered in place of the upstream that was asked: its name, zone and model.

    `gap` is what the upstream itself may have used before; empty where that is nothing.
    """

    name: str
    zone: str
    model: str
    gap: str = ""


@dataclass(slots=True)
class Answer:
    """What goes back: whole (`body`) or as a stream of chunks as they come.

    `source` says where it came from: "upstream", "hit", "stale", "coalesced", or a step's own word.
    `length` is that of a stream, where it is known beforehand [byte]. `served` says who answered
    where it was not the upstream that was asked.
    """

    status: int
    headers: Headers
    body: bytes = b""
    stream: Stream | None = None
    source: str = "upstream"
    record: Record | None = None
    notes: Headers = field(default_factory=list)
    length: int | None = None
    served: Served | None = None

    @property
    def ok(self) -> bool:
        """Whether it is an answer and not an error."""
        return 200 <= self.status < 300  # noqa: PLR2004 (HTTP success)


class Step(Protocol):
    """One layer: answers, or passes the exchange onward."""

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Answer, or await `onward(exchange)`.

        Raises:
            UpstreamError: no answer could be had.
        """


class Share(Protocol):
    """Measures the part of an upstream's energy that one call took, where it can be measured."""

    method: str
    factors: str

    def begin(self) -> object:
        """A call begins; what comes back belongs to `end`."""

    def end(self, begun: object) -> tuple[CallReading, float] | None:
        """The call's energy, and its CPU time [s]; None where it could not be measured."""


class Upstream(Protocol):
    """Whoever answers in the end; `zone` is where it runs.

    `name` tells two of them apart for good, `url` where it is empty.

    `model` is what answers, where that is one model whatever a call names; else it is empty. Where
    calls of several providers go through it, `of` gives each one's: see `upstreams.serving`.
    """

    @property
    def name(self) -> str:
        """What tells it from others for good, where its URL does not."""

    @property
    def url(self) -> str:
        """Where it is."""

    @property
    def zone(self) -> str:
        """Where it runs."""

    @property
    def model(self) -> str:
        """What answers every call; empty where a call says."""

    @property
    def share(self) -> Share | None:
        """What measures a call's part of its energy, where that can be done here."""

    async def send(self, exchange: Exchange) -> Answer:
        """The upstream's answer, whatever its status.

        Raises:
            UpstreamError: it could not be reached, timed out or broke off.
        """

    async def close(self) -> None:
        """Release connections and processes."""
