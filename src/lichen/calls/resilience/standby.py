"""Standby: who is asked instead while an upstream fails, and how a call is put to it.

The model is mapped by globs, "gpt-4o*=llama-3.1-70b, *=llama-3.1-8b", the first that matches; a
call that matches none keeps its model, and where the map is empty all do. The client's credential,
its cookies and its account's names never go to the standby: it has a key of its own, or none.

Vectors of two models do not compare: one put among another's spoils a whole index, and nothing in
it shows. So a call for embeddings goes to the standby only under the model it names.

What the standby used is booked as its own: its zone, its model. Its answers are kept under keys of
their own, so that none is ever given for one of the upstream's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import orjson

from lichen.calls.exchange import CREDENTIALS, Served
from lichen.calls.key import is_exact
from lichen.ledger.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from lichen.calls.exchange import Answer, Exchange, Headers, Upstream

# What names an account at the upstream: nobody else's business.
_ACCOUNT = CREDENTIALS | frozenset((b"cookie", b"openai-organization", b"openai-project"))
# Says in an answer who gave it; hits of a standby's answer say it again.
SERVED_BY = (b"x-lichen-upstream", b"fallback")


@dataclass(frozen=True, slots=True)
class Standby:
    """Another upstream, and the model it answers with in place of the one that was asked for.

    `warn` hears that it failed too.
    """

    upstream: Upstream
    models: tuple[tuple[str, str], ...] = ()
    warn: Callable[[object], None] = lambda _message: None

    @property
    def name(self) -> str:
        """What tells its answers from the upstream's."""
        return self.upstream.name or self.upstream.url

    def model_for(self, model: str) -> str:
        """The standby's model for one that was asked for."""
        return next((to for glob, to in self.models if fnmatchcase(model, glob)), model)

    def put(self, exchange: Exchange) -> Exchange | None:
        """The exchange as the standby is asked; None where it cannot be put to it.

        A body that cannot be written down again without loss is not changed. Embeddings are not
        asked of another model.
        """
        call = exchange.call
        if call is None:
            return None
        headers = [pair for pair in exchange.headers if pair[0] not in _ACCOUNT]
        model = self.model_for(call.model)
        embeds = call.kind in call.dialect.embeds
        if embeds and (self.upstream.model or model) != call.model:
            return None
        if model == call.model:
            return replace(exchange, headers=headers)
        target = exchange.target.replace(f"/models/{call.model}:", f"/models/{model}:")
        if "model" not in call.fields:
            return None if target == exchange.target else _put(exchange, headers, target=target)
        if not is_exact(exchange.body):
            return None
        fields = {**call.fields, "model": model}
        made = _put(exchange, headers, target=target)
        made.body, made.call = orjson.dumps(fields), replace(call, fields=fields, model=model)
        return made

    async def send(self, put: Exchange, gap: str) -> Answer:
        """The standby's answer, which says that it is one; `gap` is why it was asked.

        Raises:
            UpstreamError: it gave none either.
        """
        answer = await self.upstream.send(put)
        model = put.call.model if put.call is not None else ""
        answer.served = Served(self.name, self.upstream.zone, self.upstream.model or model, gap=gap)
        answer.headers.append(SERVED_BY)
        return answer


def _put(exchange: Exchange, headers: Headers, *, target: str) -> Exchange:
    return replace(exchange, headers=headers, target=target)


def key_apart(key: bytes, name: str) -> bytes:
    """The key under which a standby's answer to a call is kept."""
    return hashlib.sha256(b"standby\0%b\0%b" % (name.encode(), key)).digest()


def read_models(text: str) -> tuple[tuple[str, str], ...]:
    """The map "glob=model, glob=model".

    Raises:
        InputError: it is not written like that.
    """
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        glob, equals, model = (piece.strip() for piece in part.partition("="))
        if not (glob and equals and model):
            raise InputError(
                f"fallback_models cannot be {text!r}: write model=model pairs, such as "
                '"gpt-4o*=llama-3.1-70b, *=llama-3.1-8b"'
            )
        pairs.append((glob, model))
    return tuple(pairs)
