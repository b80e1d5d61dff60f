"""What coding can be told: the table [coding]."""

from __future__ import annotations

from dataclasses import dataclass, field

from lichen.calls.option import SIZES, choices, unit


@dataclass(frozen=True, slots=True)
class CodingOptions:
    """How bodies are compressed on the wire.

    Attributes:
        answers: an answer from so many bytes on is compressed for a client that takes it; 0 for
            never. Streams go on as they come. [byte]
        upstream: how requests to the upstream are compressed: "identity" (not at all), "gzip",
            "br" or "zstd". Set it only where the provider says that it takes it.
        requests: a request from so many bytes on is compressed for the upstream. [byte]
    """

    answers: float = field(default=8192.0, metadata=unit(SIZES))
    upstream: str = field(default="identity", metadata=choices("identity", "gzip", "br", "zstd"))
    requests: float = field(default=4096.0, metadata=unit(SIZES))
