"""Options: what `[resilience]` and `[limits]` of the settings say.

    [resilience]                                [limits]
    retries = 2                                 calls = 4096
    fallback = "http://127.0.0.1:8000/v1"       held = "512MB"
    fallback_models = "gpt-4o*=llama-3.1-70b"   connections = 10000

Times in seconds, sizes in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.calls.option import MILLISECONDS, SIZES, TIMES, choices, share, unit, whole, zone

_PAUSE = unit(MILLISECONDS)
_TIME = unit(TIMES)
_ABOVE_0 = unit(TIMES, above_zero=True)
_SIZE_ABOVE_0 = unit(SIZES, above_zero=True)


@dataclass(frozen=True, slots=True)
class ResilienceOptions:
    """What is done about an upstream that fails.

    Attributes:
        retries: tries after the first one, of calls that are safe to repeat.
        first_pause: the most that is waited before the first retry; it doubles each time. [s]
        longest_pause: the most that is waited before any, even where the upstream asks for it. [s]
        first_byte: how long an answer may take to begin; 0: as long as `timeout`. [s]
        breaker: whether a failing upstream is left alone for a while.
        breaker_share: the share of failures at which it is. [-]
        breaker_calls: the fewest calls in ten seconds of which that is said.
        breaker_hold: how long it is left alone the first time; it doubles each time. [s]
        fallback: the URL of another service, asked while the upstream fails.
        fallback_key: its key; the clients' own never go there.
        fallback_zone: the grid zone of its data centre.
        fallback_models: its models for those that are asked for, "gpt-4o*=llama, *=small".
        authorities: a PEM file with the authorities that certificates are checked against, in
            place of the system's.
    """

    retries: int = field(default=2, metadata=whole(0, 10))
    first_pause: float = field(default=0.25, metadata=_PAUSE)
    longest_pause: float = field(default=5.0, metadata=_PAUSE)
    first_byte: float = field(default=0.0, metadata=_TIME)
    breaker: str = field(default="on", metadata=choices("on", "off"))
    breaker_share: float = field(default=0.5, metadata=share(least=0.01))
    breaker_calls: int = field(default=20, metadata=whole(1))
    breaker_hold: float = field(default=2.0, metadata=_ABOVE_0)
    fallback: str = ""
    fallback_key: str = field(default="", repr=False)
    fallback_zone: str = field(default="", metadata=zone())
    fallback_models: str = ""
    authorities: str = ""


@dataclass(frozen=True, slots=True)
class LimitOptions:
    """What the service takes on at once, and how long it waits for a client.

    Attributes:
        calls: calls under way; more are told to come again.
        held: bytes of requests that are held, and of whole answers on their way out, each. [byte]
        answer: a whole answer; a longer one passes, as a stream, and is never held. [byte]
        connections: clients' connections.
        idle: how long a client may be silent between two calls, or leave an answer unread. [s]
        request_time: a request, from its first byte to its last, and more by its size. [s]
        pace: bytes a second below which a client sends, or reads, too slowly. [byte]
    """

    calls: int = field(default=4096, metadata=whole(1))
    held: float = field(default=512e6, metadata=_SIZE_ABOVE_0)
    answer: float = field(default=64e6, metadata=_SIZE_ABOVE_0)
    connections: int = field(default=10_000, metadata=whole(1))
    idle: float = field(default=75.0, metadata=_ABOVE_0)
    request_time: float = field(default=30.0, metadata=_ABOVE_0)
    pace: float = field(default=500.0, metadata=_SIZE_ABOVE_0)
