"""What the soak sends: kinds of calls by their shares, prompts, tenants, and what each must bring.

A prompt says what the upstream is to do ("fail-503 17"), and the upstream's answer says whose
prompt it answers: so whoever asked can see that the answer is theirs and nobody else's.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from dataclasses import dataclass

TENANTS = 200
HOT = 100
MODEL = "gpt-4o-mini"
# Kind, its share of the calls [%], and the statuses it may bring.
MIX: tuple[tuple[str, float, frozenset[int]], ...] = (
    ("hot", 42, frozenset((200,))),
    ("new", 25, frozenset((200,))),
    ("stream-hot", 8, frozenset((200,))),
    ("stream-new", 8, frozenset((200,))),
    ("sampled", 6, frozenset((200,))),
    ("long", 1, frozenset((200,))),
    ("leave", 3, frozenset((200,))),
    ("break", 1, frozenset((200,))),
    ("fail-400", 1, frozenset((400,))),
    ("fail-429", 1, frozenset((200, 429))),
    ("fail-500", 1, frozenset((500,))),
    ("fail-503", 1, frozenset((200, 503))),
    ("rubbish", 2, frozenset((400,))),
)
EXPECTED = {kind: statuses for kind, _, statuses in MIX}
_KINDS = [kind for kind, _, _ in MIX]
_SHARES = [share for _, share, _ in MIX]
_STREAMED = frozenset(("stream-hot", "stream-new", "leave", "break"))


@dataclass(frozen=True, slots=True)
class Sent:
    """One call: its kind, who sends it, its body, and the mark that its answer must carry."""

    kind: str
    key: str
    body: bytes
    mark: bytes
    is_stream: bool


class Traffic:
    """Draws calls; the same seed draws the same ones."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self._number = itertools.count()

    def next(self) -> Sent:
        """The next call."""
        kind = self._draw.choices(_KINDS, _SHARES)[0]
        # A few tenants send most of the calls.
        key = f"sk-tenant-{int(TENANTS * self._draw.random() ** 3)}"
        if kind == "rubbish":
            return Sent(kind, key, b'{"model": ', b"", is_stream=False)
        is_hot = kind in ("hot", "stream-hot")
        number = self._draw.randrange(HOT) if is_hot else next(self._number)
        prompt = f"{kind} {number} {'please ' * (number % 40)}"
        asked: dict[str, object] = {
            "model": MODEL,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 1 if kind == "sampled" else 0,
        }
        if kind in _STREAMED:
            asked["stream"] = True
        return Sent(kind, key, json.dumps(asked).encode(), mark(key, prompt), kind in _STREAMED)


def mark(key: str, prompt: str) -> bytes:
    """What an answer to this tenant's prompt carries."""
    return hashlib.sha256(f"{key}\n{prompt}".encode()).hexdigest()[:24].encode()
