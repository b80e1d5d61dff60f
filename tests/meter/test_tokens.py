"""The token meter: what a call costs follows from its tokens, its model and the factors."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lichen.ledger.errors import InputError
from lichen.ledger.estimate import Basis
from lichen.ledger.tokens import Tokens
from lichen.meter.tokens import Fixed, TokenMeter

METER = TokenMeter()
WIDE = ("gpt-4o", "claude-opus-5", "meta-llama/Meta-Llama-3.1-8B", "SmolLM2-135M", "no-such-model")
COUNTS = st.integers(min_value=0, max_value=200_000)
CALLS = st.builds(Tokens, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)


def joules(model: str, tokens: Tokens, meter: TokenMeter = METER) -> float:
    return meter.read(model, tokens).energy.value.in_joules


def test_a_reading_is_modelled_and_holds_its_value() -> None:
    reading = METER.read("gpt-4o", Tokens(prefill=1000, decode=200))

    assert reading.energy.basis is Basis.MODELLED
    assert reading.embodied.basis is Basis.MODELLED
    assert reading.energy.low < reading.energy.value < reading.energy.high
    assert reading.embodied.low < reading.embodied.value < reading.embodied.high
    assert reading.gaps == ()


@pytest.mark.parametrize("model", WIDE)
@pytest.mark.parametrize(
    "tokens", [Tokens(prefill=1000), Tokens(decode=200), Tokens(1000, 0, 0, 9)]
)
def test_the_interval_is_by_default_about_four_times_wide_each_way(
    model: str, tokens: Tokens
) -> None:
    energy = METER.read(model, tokens).energy

    assert energy.value / energy.low >= 3.5
    assert energy.high / energy.value >= 3.5


@pytest.mark.parametrize("model", WIDE)
def test_a_call_without_tokens_used_nothing(model: str) -> None:
    reading = METER.read(model, Tokens())

    assert reading.energy.high.in_joules == 0
    assert reading.embodied.high.in_grams == 0


@pytest.mark.parametrize("model", WIDE)
@pytest.mark.parametrize("kind", ["prefill", "cache_read", "cache_write", "decode", "reasoning"])
def test_one_token_of_any_class_costs_something(model: str, kind: str) -> None:
    reading = METER.read(model, Tokens(**{kind: 1}))

    assert reading.energy.low.in_joules > 0
    assert reading.embodied.low.in_grams > 0


@pytest.mark.parametrize("count", [-1, 1.5, "3", True, None])
def test_tokens_that_are_no_count_are_refused(count: object) -> None:
    with pytest.raises(InputError, match="prefill"):
        Tokens(prefill=count)  # type: ignore[arg-type]


@given(CALLS, CALLS)
def test_more_tokens_never_cost_less(some: Tokens, more: Tokens) -> None:
    less = METER.read("gpt-4o", some)
    both = METER.read("gpt-4o", some + more)

    assert both.energy.low.in_joules >= less.energy.low.in_joules
    assert both.energy.value.in_joules >= less.energy.value.in_joules
    assert both.energy.high.in_joules >= less.energy.high.in_joules
    assert both.embodied.value.in_grams >= less.embodied.value.in_grams


@given(CALLS, CALLS)
def test_one_long_call_costs_at_least_what_its_halves_do(one: Tokens, other: Tokens) -> None:
    apart = joules("gpt-4o", one) + joules("gpt-4o", other)

    assert joules("gpt-4o", one + other) >= apart * (1 - 1e-9)


def test_reasoning_costs_what_decoding_costs() -> None:
    assert METER.read("o1", Tokens(reasoning=500)) == METER.read("o1", Tokens(decode=500))


def test_the_classes_cost_more_from_cache_read_to_prefill_to_cache_write_to_decode() -> None:
    kinds = ("cache_read", "prefill", "cache_write", "decode")

    cost = [joules("gpt-4o", Tokens(**{kind: 1})) for kind in kinds]

    assert all(one < other for one, other in pairwise(cost))


def test_errors_are_fully_correlated_over_classes() -> None:
    read, written = Tokens(prefill=800), Tokens(cache_write=50)

    apart = METER.read("gpt-4o", read).energy + METER.read("gpt-4o", written).energy
    both = METER.read("gpt-4o", read + written).energy

    # What is left is what the fifty tokens see of the eight hundred.
    assert both.low.in_joules == pytest.approx(apart.low.in_joules, rel=0.02)
    assert both.high.in_joules == pytest.approx(apart.high.in_joules, rel=0.02)


@pytest.mark.parametrize("decode", [0, 300])
def test_a_cached_prompt_costs_less_by_the_prefill_it_saved(decode: int) -> None:
    fresh, cached = Tokens(prefill=4000, decode=decode), Tokens(cache_read=4000, decode=decode)

    saved = joules("gpt-4o", fresh) - joules("gpt-4o", cached)

    prefill, load = (
        joules("gpt-4o", Tokens(prefill=4000)),
        joules("gpt-4o", Tokens(cache_read=4000)),
    )
    assert saved == pytest.approx(prefill - load)
    assert saved > 0.95 * prefill


def test_a_compressed_prompt_costs_less_by_the_prefill_it_saved() -> None:
    long, short = Tokens(prefill=4000, decode=300), Tokens(prefill=1000, decode=300)

    saved = joules("gpt-4o", long) - joules("gpt-4o", short)

    prefill = joules("gpt-4o", Tokens(prefill=4000)) - joules("gpt-4o", Tokens(prefill=1000))
    # The answer also looks back at 3000 tokens fewer.
    assert prefill < saved < 1.1 * prefill


def test_a_larger_batch_costs_less_and_ever_less_so() -> None:
    batches = (1, 8, 64, 512)

    cost = [
        joules("gpt-4o", Tokens(decode=100), TokenMeter(batch=Fixed(batch))) for batch in batches
    ]

    ratios = [small / large for small, large in pairwise(cost)]
    assert all(ratio > 1 for ratio in ratios)
    assert ratios == sorted(ratios, reverse=True)


def test_a_larger_model_costs_more() -> None:
    names = [f"some-{billion}b" for billion in (1, 8, 70, 405)]

    cost = [joules(name, Tokens(prefill=100, decode=100)) for name in names]

    assert cost == sorted(cost)
    assert len(set(cost)) == len(cost)


@pytest.mark.parametrize(
    ("unknown", "kin"),
    [
        ("gpt-4.9-ultra", ("gpt-4", "gpt-4o", "gpt-4o-mini", "gpt-4.1-nano")),
        ("no-such-model", ("gpt-5.5-pro", "claude-opus-5", "meta-llama/Prompt-Guard-86M")),
    ],
)
def test_an_unknown_model_is_flagged_and_as_wide_as_all_it_could_be(
    unknown: str, kin: tuple[str, ...]
) -> None:
    call = Tokens(prefill=1000, decode=200)

    reading = METER.read(unknown, call)

    assert reading.gaps[0].startswith("model-unknown")
    for name in kin:
        known = METER.read(name, call)
        assert reading.energy.holds(known.energy.low)
        assert reading.energy.holds(known.energy.high)
        assert reading.embodied.holds(known.embodied.low)
        assert reading.embodied.holds(known.embodied.high)


def test_two_meters_with_the_same_factors_read_the_same() -> None:
    call = Tokens(1000, 20, 30, 200, 5)

    assert TokenMeter().read("gpt-4o", call) == METER.read("gpt-4o", call)


def test_the_factors_name_the_registry_the_table_and_what_was_changed() -> None:
    meter = TokenMeter(pue=Fixed(1.1), batch=Fixed(64))

    assert METER.method == "tokens/1"
    assert "ecologits 0.11.3" in METER.factors
    assert "token-factors" in METER.factors
    assert meter.factors == f"{METER.factors}; batch=Fixed(value=64); pue=Fixed(value=1.1)"


@pytest.mark.parametrize("name", ["bach", "size"])
def test_a_factor_that_is_not_one_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(InputError, match=rf"{name}.*there are batch, .*utilisation"):
        TokenMeter(**{name: Fixed(1)})


def test_the_meter_forgets_names_rather_than_grow_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lichen.meter.tokens.REMEMBERED", 2)
    meter = TokenMeter()

    for number in range(5):
        meter.read(f"some-{number + 1}b", Tokens(decode=1))

    assert len(meter._rates) <= 2


def test_a_reading_says_which_pue_was_assumed() -> None:
    asked = Tokens(prefill=100, decode=50)

    assert TokenMeter().read("gpt-4o", asked).pue == pytest.approx((1.08 * 1.3) ** 0.5)
    assert TokenMeter(pue=Fixed(1.1)).read("gpt-4o", asked).pue == 1.1
