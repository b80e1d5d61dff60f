"""Weighing: whether a shorter prompt is worth it, priced in Wh and money before it is sent.

    asked of        the joint decision (lichen.calls.joint)
    a prompt        once per conversation: its first prompt that could be shorter
    a text          before a compressor selects from it: is its CPU time worth what it spares?

What of a prompt went out before, within the life of a provider's prompt cache, is held; how often
a prompt comes again is learnt from the conversations of one tenant and route. What a selection
takes is learnt from those before [Wh/token]; nothing is known of the first, which counts as none.
A text is selected from once and remembered, so its effort is shared by all calls expected with it.

Source: OpenAI, "Prompt caching", and Anthropic, "Prompt caching": kept for 5 minutes from its last
use, or longer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from lichen.calls.joint import NOTHING, Decision, Situation, decide
from lichen.calls.prefix.memory import Memory
from lichen.calls.providers.prices import Price, Prices, price_of
from lichen.calls.step_book import OF_CPU

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lichen.calls.compress.compressor import Compressor
    from lichen.calls.compress.conversation import Conversation
    from lichen.calls.compress.prompt import Change
    from lichen.calls.exchange import Call, Exchange
    from lichen.calls.rules import Rules
    from lichen.ledger.pricing import Pricer
    from lichen.ledger.tokens import Tokens
    from lichen.text.tokens import Tokenizer

# What the book says where money could not be weighed.
PRICE_UNKNOWN = "price-unknown"
# How long a provider holds a prefix from its last use, at the least. [s]
_LIFE_S = 300.0
_BYTES_PER_TOKEN = 4
# What an answer is taken to have where the call sets no bound. [token]
_WRITTEN = 300


class Prompt(NamedTuple):
    """What is known of one prompt. Token counts are estimates by bytes.

    Attributes:
        tokens: all of it. [token]
        known: of these, what went out before from its begin. [token]
        written: what it is answered with. [token]
        held: how likely the provider holds the known part. [1]
        again: how many calls will come with it while it is held. [1]
        keeps: whether the provider keeps prefixes of it at all.
        marks: whether it does only where the call says so, and lichen may say so.
        price: of its model; None where nobody knows it.
        energy: of a call of it. [Wh]
    """

    tokens: int
    known: int
    written: int
    held: float
    again: float
    keeps: bool
    marks: bool
    price: Price | None
    energy: Callable[[Tokens], float]

    def decided(self, changes: Sequence[Change]) -> Decision:
        """The ways to send it, with these texts shortened or without."""
        return self._decided(sum(change.before - change.after for change in changes))

    def pays(self, spared: float, effort: float) -> bool:
        """Whether so many tokens spared are worth the effort. [token], [Wh]"""
        return self._decided(spared, effort).best.shorten != NOTHING

    def _decided(self, spared: float, effort: float = 0.0) -> Decision:
        least = self.price.minimum if self.price is not None else 0
        effort /= 1 + self.again
        if self.keeps and self.known <= least:
            # Nothing of it is held. All of it may come again, shortened or not, and be held then.
            share = min(spared / self.tokens, 1.0)
            call = Situation(
                self.tokens, 0, self.written, 0.0, self.again, self.marks,
                shorter_prefix=share, effort=effort,
            )  # fmt: skip
        else:
            known = self.known if self.keeps else 0
            tail = max(1, self.tokens - known)
            call = Situation(
                known, tail, self.written, self.held, self.again, self.marks,
                shorter_tail=min(spared / tail, 1.0), effort=effort,
            )  # fmt: skip
        return decide(call, self.price, self.energy)


class Weighing:
    """Knows prompts that went out, and what selecting takes; makes a `Prompt` of each call."""

    def __init__(
        self,
        pricer: Pricer,
        rules: Rules,
        warn: Callable[[object], None],
        prices: Prices = price_of,
    ) -> None:
        self._pricer, self._rules, self._warn = pricer, rules, warn
        self._prices = prices
        self._memory = Memory(_LIFE_S)
        self._wh = self._selected = 0.0

    def prompt(self, exchange: Exchange, call: Call, conversation: Conversation) -> Prompt:
        """What is known of a call's prompt, which goes out now."""
        lengths = [len(place.text) for place in conversation.places]
        total = max(1, len(exchange.body) // _BYTES_PER_TOKEN)
        part = sum(lengths[: conversation.known]) / (sum(lengths) or 1)
        held, again = self._seen(exchange.tenant, call, conversation)
        marks = False
        keeps = call.dialect.marks is None or conversation.is_pinned
        if not keeps:
            rule = exchange.rule or self._rules.find(call.kind, call.model)
            keeps = marks = rule.prompt_cache == "auto"
        calls = self._pricer.calls
        return Prompt(
            total,
            round(total * part),
            conversation.limit or _WRITTEN,
            held,
            again,
            keeps,
            marks,
            self._price(exchange.provider, call.model, total),
            lambda tokens: calls.read(call.model, tokens).energy.value.in_wh,
        )

    def _seen(self, tenant: str, call: Call, conversation: Conversation) -> tuple[float, float]:
        """How likely what went out before is held, and how often all of it will come again."""
        memory, known = self._memory, conversation.known
        is_held = False
        if known and conversation.chain != (chain := conversation.places[known - 1].chain):
            earlier = memory.saw(tenant, call.model, chain)
            is_held = memory.is_held(earlier)
            memory.hold(earlier)
        now = memory.saw(tenant, call.model, conversation.chain)
        is_held = is_held or memory.is_held(now)
        memory.hold(now)
        return float(is_held), memory.again(tenant, call.model, now)

    def _price(self, provider: str, model: str, tokens: int) -> Price | None:
        try:
            return self._prices(provider, model, tokens)
        except Exception as error:  # noqa: BLE001 (the call is weighed by its energy alone)
            self._warn(error)
            return None

    def effort(self, tokens: float) -> float:
        """What selecting from a text of so many tokens is expected to take. [Wh]"""
        return self._wh / self._selected * tokens if self._selected else 0.0

    def took(self, tokens: float, cpu_seconds: float) -> None:
        """Selecting from a text took so long. [token], [s]"""
        reading = self._pricer.reading(OF_CPU, {"cpu_seconds": cpu_seconds})
        if reading is not None:
            self._wh += reading.energy.value.in_wh
            self._selected += tokens


class Weighed:
    """A compressor that selects where that is worth its effort, and else gives the text back.

    What became of a text is remembered by whoever asks, so that it stays so.
    """

    def __init__(self, compressor: Compressor, weighing: Weighing, prompt: Prompt) -> None:
        self.name = compressor.name
        self._compressor, self._weighing, self._prompt = compressor, weighing, prompt

    def compress(self, text: str, question: str, keep: float, tokenizer: Tokenizer) -> str:
        """As the compressor's.

        Raises:
            LichenError: it cannot work here, with the way out.
        """
        tokens = len(text) / _BYTES_PER_TOKEN
        effort = self._weighing.effort(tokens)
        if effort and not self._prompt.pays(tokens * (1 - keep), effort):
            return text
        begun = time.thread_time()
        made = self._compressor.compress(text, question, keep, tokenizer)
        self._weighing.took(tokens, time.thread_time() - begun)
        return made
