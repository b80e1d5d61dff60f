"""Compress: the step that sends a shorter prompt.

A call is looked at where its route says so. Which arm a conversation is in, shortened or left alone
to be compared, is drawn at its first text that could be shortened, and kept: a prefix once sent is
sent again in the same bytes. Whatever goes wrong here, the call goes on as it came.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

import orjson

from lichen.calls.batch.intake import wish as waits
from lichen.calls.compress.act import STRATEGY, act, digest
from lichen.calls.compress.compressor import Shortening
from lichen.calls.compress.conversation import Conversation
from lichen.calls.compress.memory import AS_IT_CAME, HELD, SHORTENED
from lichen.calls.compress.owed import Owed
from lichen.calls.compress.prompt import changes
from lichen.calls.compress.signs import signs
from lichen.calls.compress.stale import stale
from lichen.calls.compress.tally import Tally
from lichen.calls.compress.watch import Judged
from lichen.calls.compress.weighing import PRICE_UNKNOWN, Weighed, Weighing
from lichen.calls.joint import NOTHING
from lichen.calls.key import is_exact
from lichen.calls.level import LOSSY, OFF, WISH, level_of
from lichen.text.tokens import tokenizer_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lichen.calls.compress.compressor import Compressor
    from lichen.calls.compress.memory import Memory
    from lichen.calls.compress.options import CompressOptions
    from lichen.calls.compress.prompt import Change
    from lichen.calls.compress.watch import Watch
    from lichen.calls.compress.weighing import Prompt
    from lichen.calls.exchange import Answer, Call, Exchange, Onward, Record
    from lichen.calls.forget import Forget
    from lichen.calls.steps import StepParts
    from lichen.ledger.panel import Panel
    from lichen.text.tokens import Tokenizer

# Bodies up to this are worked on where they are, larger ones in a thread. [byte]
_AT_ONCE = 64 * 1024
_FEEDBACK = b"x-lichen-feedback"


class Asked(NamedTuple):
    """How a prompt may be shortened, and the name of the route that says so."""

    mode: str
    route: str


class Compress:
    """The step that shortens prompts; `compressor` is None where no route says "lossy"."""

    def __init__(
        self,
        parts: StepParts,
        options: CompressOptions,
        memory: Memory,
        watch: Watch,
        compressor: Compressor | None,
    ) -> None:
        self._parts, self._options = parts, options
        self._memory, self._watch = memory, watch
        self._compressor = compressor
        self._tally = Tally(watch)
        self._weighing = Weighing(parts.book.pricer, parts.rules, parts.warn)
        self._owed = Owed(partial(parts.booker.steps.cost, STRATEGY))

    def admit(self, exchange: Exchange) -> None:
        """Hear what a user says of an answer, `x-lichen-feedback: bad ID`."""
        for name, value in exchange.headers:
            if name == _FEEDBACK:
                verdict, _, entry_id = value.decode("latin-1").strip().partition(" ")
                if verdict in ("good", "bad"):
                    self._watch.judged(entry_id.strip(), exchange.tenant, bad=verdict == "bad")

    async def __call__(self, exchange: Exchange, onward: Onward) -> Answer:
        """Send a shorter prompt onward, where the route allows it and there is one."""
        call = exchange.call
        # One that waits is shortened once, when it is sent: what is kept is what was asked.
        if call is None or self.passes(exchange) or waits(exchange.headers) is not None:
            return await onward(exchange)
        asked, note = self._asked(exchange, call), None
        try:
            note = await self._shorten(exchange, call, asked)
        except Exception as error:  # noqa: BLE001 (a prompt that cannot be shortened goes as it is)
            self._parts.warn(error)
        answer = await onward(exchange)
        if note is not None:
            answer.notes.append((WISH, note))
        return answer

    def passes(self, exchange: Exchange) -> bool:
        """Whether a call has no prompt, or its route asks for no shorter one."""
        call = exchange.call
        if call is None or call.kind in call.dialect.embeds:
            return True
        return self._parts.rules.find(call.kind, call.model).compress == OFF

    def _asked(self, exchange: Exchange, call: Call) -> Asked:
        """How the prompt may be shortened."""
        rule = self._parts.rules.find(call.kind, call.model)
        route = f"{rule.route} {rule.model} {rule.compress}"
        return Asked(level_of(call, rule, exchange.headers), route)

    async def _shorten(self, exchange: Exchange, call: Call, asked: Asked) -> bytes | None:
        """Shorten what may be; the note for the client, None where nothing was."""
        with self._owed.timed():
            conversation = Conversation(self._memory, call, f"{exchange.tenant}\0{asked.route}")
        if asked.mode == OFF or not self._watch.is_open(asked.route):
            conversation.goes(AS_IT_CAME)
            return None
        if conversation.is_held:
            exchange.held[STRATEGY] = True
            self._leave(exchange, conversation, asked.route)
            return None
        tokenizer = tokenizer_for(call.model or self._parts.upstream.model)
        # Looked at once, and not at all where nothing of it can be shorter.
        weigh = cache(partial(self._weighing.prompt, exchange, call, conversation))
        selects = asked.mode == LOSSY and self._compressor is not None
        shortening = self._shortening(conversation, tokenizer, weigh if selects else None)
        made = await self._made(exchange, conversation, shortening, at_once=not selects)
        with self._owed.timed():
            body = _with(call, made) if made and _is_whole(exchange) else None
        if body is None:
            return None
        prompt = weigh()
        if conversation.is_shortened:
            exchange.held[STRATEGY] = False
        elif not _is_worth_it(exchange, prompt, made):
            conversation.goes(AS_IT_CAME)
            return None
        elif self._parts.holdout.keeps(STRATEGY, exchange):
            self._leave(exchange, conversation, asked.route)
            return None
        conversation.goes(SHORTENED)
        exchange.call, exchange.body = body
        gaps = () if prompt.price is not None else (PRICE_UNKNOWN,)
        exchange.acts.append(act(made, asked.mode, tokenizer, gaps))
        exchange.raw["compressed"] = digest(made)
        self._judge(exchange, conversation, asked.route, held=False)
        self._tally.shortened(asked.route, made)
        before, after = (sum(getattr(c, side) for c in made) for side in ("before", "after"))
        return f"{asked.mode};before={before};after={after}".encode()

    def _leave(self, exchange: Exchange, conversation: Conversation, route: str) -> None:
        """Send it as it came, to be compared."""
        conversation.goes(HELD)
        self._judge(exchange, conversation, route, held=True)

    def _shortening(
        self,
        conversation: Conversation,
        tokenizer: Tokenizer,
        weigh: Callable[[], Prompt] | None,
    ) -> Shortening:
        options, compressor = self._options, None
        out = stale(conversation.places, options.recent) if options.history != "keep" else ()
        if weigh is not None and self._compressor is not None:
            compressor = Weighed(self._compressor, self._weighing, weigh())
        return Shortening(tokenizer, options, self._memory, compressor, frozenset(out))

    async def _made(
        self,
        exchange: Exchange,
        conversation: Conversation,
        shortening: Shortening,
        *,
        at_once: bool,
    ) -> list[Change]:
        work = partial(changes, conversation.places, shortening, conversation.sent_before)
        if len(exchange.body) <= _AT_ONCE and at_once:
            with self._owed.timed():
                return work()
        made, seconds = await asyncio.to_thread(_timed, work)
        self._owed.add(seconds)
        return made

    def _judge(
        self, exchange: Exchange, conversation: Conversation, route: str, *, held: bool
    ) -> None:
        """Judge the answer when it has come."""
        call, again = exchange.call, conversation.chain
        assert call is not None
        self._watch.asked(again)

        def answered(record: Record, body: bytes) -> None:
            if body:
                found = signs(call, body)
                judged = Judged(route, held, bool(found), 0.0, exchange.tenant, again)
                self._watch.answered(record.entry_id, judged)

        exchange.on_done.append(answered)

    async def close(self) -> None:
        """Count the answers that wait, write the trials down, book what is owed."""
        self._watch.close()
        self._owed.settle()

    def forget(self, _which: Forget) -> int:
        """Forget the texts in memory, all of them: which is whose is not known there."""
        return self._memory.clear()

    def gauges(self) -> Mapping[str, float]:
        """Calls and tokens, and how the trials stand."""
        return self._tally.gauges()

    def panels(self) -> Sequence[Panel]:
        """Each route: what was spared, and whether answers are worse for it."""
        return self._tally.panels()


def _timed(work: Callable[[], list[Change]]) -> tuple[list[Change], float]:
    """What some work made, and the CPU time of this thread that it took. [s]"""
    begun = time.thread_time()
    made = work()
    return made, time.thread_time() - begun


def _is_worth_it(exchange: Exchange, prompt: Prompt, made: Sequence[Change]) -> bool:
    """Whether the prompt is to go out shorter, by the joint decision; noted, to be looked up."""
    decision = prompt.decided(made)
    exchange.raw["way"], exchange.raw["ways"] = decision.best.name, decision.told
    return decision.best.shorten != NOTHING


def _is_whole(exchange: Exchange) -> bool:
    """Whether the body can be written anew with nothing lost; a call with a key was looked at."""
    return bool(exchange.key) or is_exact(exchange.body)


def _with(call: Call, made: Sequence[Change]) -> tuple[Call, bytes] | None:
    """The call with its new texts, and its body; None where it cannot be written down."""
    fields = call.dialect.with_texts(call.fields, {change.path: change.text for change in made})
    try:
        return replace(call, fields=fields), orjson.dumps(fields)
    except TypeError:  # half of a pair of surrogates in a text that stays, or nested too deep
        return None
