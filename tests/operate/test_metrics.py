"""The metrics: names, units, bounds, and that their rates are SCI."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

import lichen
from lichen.operate.watch.gauge_words import GAUGES
from lichen.operate.watch.metrics import MODELS
from lichen.testing.samples import sample_entry, sample_footprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.samples import Sample

    from lichen.ledger.book import Book
    from lichen.operate.watch import Watch
    from tests.operate.conftest import Calls, Clock, FailingStore

SOURCE = Path(lichen.__file__).parent


def samples(watch: Watch, gauges: dict[str, float] | None = None) -> list[Sample]:
    page = watch.metrics(gauges or {})
    assert page.status == 200
    families = text_string_to_metric_families(page.body.decode())
    return [sample for family in families for sample in family.samples]


def total(found: list[Sample], name: str, **labels: str) -> float:
    return sum(s.value for s in found if s.name == name and labels.items() <= s.labels.items())


def test_it_is_the_text_format_prometheus_reads(calls: Calls, watch: Watch) -> None:
    calls.asked()

    headers = dict(watch.metrics().headers)

    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert samples(watch)


def test_energy_is_in_joules_by_flow_strategy_and_model(calls: Calls, watch: Watch) -> None:
    calls.stored(calls.asked("small", wh=1.0))
    calls.overhead(wh=0.5)

    found = samples(watch)

    name = "lichen_energy_joules_total"
    assert total(found, name, flow="used", strategy="none", model="small") == pytest.approx(3600)
    assert total(found, name, flow="avoided", strategy="calls.exact") == pytest.approx(3600)
    assert total(found, name, flow="overhead", strategy="lichen") == pytest.approx(1800)


def test_the_rate_of_carbon_over_the_rate_of_units_is_sci(
    calls: Calls, watch: Watch, book: Book
) -> None:
    origin = calls.asked(ago=9)
    calls.stored(origin, ago=8)
    calls.overhead(ago=7)

    found = samples(watch)

    carbon = sum(
        total(found, "lichen_carbon_grams_total", flow=flow) for flow in ("used", "overhead")
    )
    units = total(found, "lichen_functional_units_total", unit="request")
    assert carbon / units == pytest.approx(book.sci(per="request").grams_per_unit)


def test_the_ends_of_the_interval_have_names_of_their_own(calls: Calls, watch: Watch) -> None:
    calls.asked(wh=1.0)

    found = samples(watch)

    assert total(found, "lichen_energy_joules_low_total") == pytest.approx(900)
    assert total(found, "lichen_energy_joules_total") == pytest.approx(3600)
    assert total(found, "lichen_energy_joules_high_total") == pytest.approx(14400)
    assert total(found, "lichen_carbon_grams_low_total") == pytest.approx(0.125)
    assert total(found, "lichen_carbon_grams_high_total") == pytest.approx(2.0)


def test_a_loss_is_counted_apart_so_that_no_counter_falls(calls: Calls, watch: Watch) -> None:
    hit = calls.stored(calls.asked(wh=0.2))
    worse = replace(hit.figures, strategy="calls.compress", footprint=sample_footprint(wh=1.2))
    calls.add(sample_entry(calls.clock(), worse))

    found = samples(watch)

    name = "lichen_energy_joules_total"
    assert total(found, name, flow="lost", strategy="calls.compress") == pytest.approx(3600)
    assert total(found, name, flow="avoided") == pytest.approx(720)
    assert min(sample.value for sample in found) >= 0


def test_tokens_are_counted_by_class_and_flow(calls: Calls, watch: Watch) -> None:
    calls.stored(calls.asked())

    found = samples(watch)

    assert total(found, "lichen_tokens_total", **{"class": "prefill", "flow": "used"}) == 100
    assert total(found, "lichen_tokens_total", **{"class": "decode", "flow": "spared"}) == 50


def test_entries_and_gaps_are_counted(calls: Calls, watch: Watch, book: Book) -> None:
    calls.stored(calls.asked())
    calls.failed()
    book.store.note_gap("entries lost", 12, calls.clock())

    found = samples(watch)

    assert total(found, "lichen_entries_total", strategy="calls.exact") == 1
    assert total(found, "lichen_entries_total") == 3
    assert total(found, "lichen_gaps_total", what="entries lost") == 12
    assert total(found, "lichen_gaps_total", what="inside entries") == 1


def test_gauges_come_under_lichens_name(watch: Watch) -> None:
    found = samples(watch, {"lichen_cache_entries": 3, "calls in flight": 2})

    assert total(found, "lichen_cache_entries") == 3
    assert total(found, "lichen_calls_in_flight") == 2


def test_models_beyond_a_hundred_are_one_series(calls: Calls, watch: Watch) -> None:
    for number in range(MODELS + 20):
        calls.asked(f"model-{number:03}")

    found = samples(watch)

    models = {s.labels["model"] for s in found if s.name == "lichen_energy_joules_total"}
    assert len(models) == MODELS + 1
    assert total(found, "lichen_energy_joules_total", model="other") > 0
    assert total(found, "lichen_functional_units_total") == MODELS + 20


def test_a_model_keeps_its_series_when_others_come(calls: Calls, watch: Watch) -> None:
    calls.asked("zebra")
    samples(watch)
    for number in range(MODELS + 20):
        calls.asked(f"model-{number:03}")

    found = samples(watch)

    assert total(found, "lichen_energy_joules_total", model="zebra") > 0


def test_no_label_tells_who_asked(calls: Calls, watch: Watch) -> None:
    calls.asked()

    labels = {label for sample in samples(watch) for label in sample.labels}

    assert labels == {"flow", "strategy", "model", "unit", "class", "what"}


def test_a_hostile_model_name_is_one_label_value(calls: Calls, watch: Watch) -> None:
    hostile = 'x"} 1\nlichen_energy_joules_total{flow="used\\'
    calls.asked(hostile)

    models = {s.labels.get("model") for s in samples(watch)}

    assert hostile in models


def readings(watch: Watch, clock: Clock) -> Iterator[float]:
    for _ in range(4):
        yield total(samples(watch), "lichen_functional_units_total")
        clock.advance(days=1)


def test_counters_go_on_across_days(calls: Calls, watch: Watch, clock: Clock) -> None:
    calls.asked()
    counted = []
    for reading in readings(watch, clock):
        counted.append(reading)
        calls.asked()

    assert counted == [1, 2, 3, 4]


def test_a_training_booked_days_after_it_began_is_counted_within_a_quarter_of_an_hour(
    calls: Calls, watch: Watch, clock: Clock
) -> None:
    calls.asked()
    samples(watch)
    calls.asked(ago=5 * 24 * 60)
    clock.advance(minutes=16)

    assert total(samples(watch), "lichen_functional_units_total") == 2


def test_a_ledger_that_cannot_be_read_is_an_error_and_not_zero(
    watch: Watch, store: FailingStore
) -> None:
    store.why = "database is locked"

    page = watch.metrics()

    assert page.status == 503
    assert b"database is locked" in page.body


# A gauge's whole name, as the code that counts writes it.
IN_CODE = re.compile(r'"(lichen_[a-z]+_[a-z_]+)"')
PARTLY = {
    f"lichen_gate_{does}_calls_total" for does in ("answered", "refused", "shared", "capped", "cut")
}


def test_every_metric_says_what_it_counts_and_in_which_unit(calls: Calls, watch: Watch) -> None:
    calls.asked()
    gauges = dict.fromkeys(told_in_code(), 1.0)

    families = list(text_string_to_metric_families(watch.metrics(gauges).body.decode()))

    assert len(families) > len(gauges) > 50
    assert [f.name for f in families if not re.search(r"\w .*\[[\w, ₂]+\]", f.documentation)] == []
    assert len({family.documentation for family in families}) == len(families)


def test_what_is_counted_since_the_start_is_a_counter_and_all_else_a_gauge(watch: Watch) -> None:
    page = watch.metrics(dict.fromkeys(GAUGES, 1.0)).body.decode()

    families = {
        f"{f.name}_total" if f.type == "counter" else f.name: f
        for f in text_string_to_metric_families(page)
    }
    for name, words in GAUGES.items():
        kind = "counter" if "since the start" in words else "gauge"
        assert (name, families[name].type) == (name, kind)
        assert name.endswith("_total") == (kind == "counter")


def test_every_gauge_that_is_explained_is_told_by_some_code() -> None:
    assert set(GAUGES) == told_in_code()


def test_a_gauge_of_a_plug_in_is_told_by_its_name_and_as_such(watch: Watch) -> None:
    page = watch.metrics({"lichen_moss_grown": 2.0}).body.decode()

    assert "# HELP lichen_moss_grown moss grown, as the plug-in that tells it counts." in page


def test_a_gauge_may_have_a_label(watch: Watch) -> None:
    names = [
        f'lichen_upstream_retries_total{{provider="{name}"}}' for name in ("anthropic", "gemini")
    ]

    found = samples(watch, {names[0]: 2.0, names[1]: 3.0})

    assert total(found, "lichen_upstream_retries_total", provider="anthropic") == 2
    assert total(found, "lichen_upstream_retries_total") == 5


def told_in_code() -> set[str]:
    """The gauges that the code names, wherever it does."""
    paths = [*(SOURCE / "calls").rglob("*.py"), *(SOURCE / "serve").rglob("*.py")]
    named = {name for path in paths for name in IN_CODE.findall(path.read_text("utf-8"))}
    return named | PARTLY | {"lichen_answers", "lichen_answer_memory_bytes"}
