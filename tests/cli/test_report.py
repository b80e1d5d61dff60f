"""`lichen report`: every figure of the ledger, losses and gaps in plain sight."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.similar.decision import Decider
from lichen.calls.similar.kept import Kept
from lichen.calls.similar.kinds import REGIONS
from lichen.calls.similar.learners import Learner
from lichen.calls.similar.verify import FEATURES, PRIOR
from lichen.cli.reading import shown
from lichen.ledger.entry import Baseline
from lichen.ledger.tokens import Tokens
from lichen.ledger.window import Work
from lichen.testing.samples import MOMENT, sample_footprint

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Kinds, Make, Run

WH = 3600.0  # J


def told(run: Run, *arguments: object) -> dict[str, Any]:
    result = run("report", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def test_calls_hits_and_their_rate_are_counted(run: Run, ledger: Path) -> None:
    report = told(run, "--ledger", ledger)

    assert (report["calls"], report["hits"], report["hit_rate"]) == (6, 3, 0.5)


def test_used_avoided_overhead_and_net_add_up(run: Run, ledger: Path) -> None:
    report = told(run, "--ledger", ledger)

    energy = {name: report[name]["energy_j"]["value"] for name in ("used", "avoided", "overhead")}
    assert energy == pytest.approx({"used": 4 * WH, "avoided": 4 * WH, "overhead": 0.1 * WH})
    assert report["net"]["energy_j"]["value"] == pytest.approx(3.9 * WH)


def test_every_estimate_has_its_interval_and_basis(run: Run, ledger: Path) -> None:
    used = told(run, "--ledger", ledger)["used"]["carbon_g"]

    assert used["low"] < used["value"] < used["high"]
    assert used["basis"] == "assumed"


def test_tokens_used_and_spared_are_told_apart(run: Run, ledger: Path) -> None:
    report = told(run, "--ledger", ledger)

    assert report["tokens"]["prefill"] == 400
    assert report["tokens_spared"] == {
        "prefill": 300,
        "cache_read": 0,
        "cache_write": 0,
        "decode": 150,
        "reasoning": 0,
        "total": 450,
    }


def test_sci_holds_lichen_s_overhead(run: Run, ledger: Path) -> None:
    (rate,) = told(run, "--ledger", ledger)["sci"]

    assert rate["per"] == "request"
    assert rate["work"] == 6
    assert rate["carbon_g_per_unit"]["value"] == pytest.approx(0.5 * 4.1 / 6)


def test_a_report_is_cut_by_strategy_and_model(run: Run, ledger: Path) -> None:
    by = told(run, "--ledger", ledger)["by"]

    assert {line["name"]: line["work"] for line in by["strategy"]} == {
        "none": 2,
        "none.sampled": 1,
        "calls.exact": 2,
        "calls.coalesce": 1,
    }
    assert {line["name"]: (line["work"], line["hits"]) for line in by["model"]} == {
        "small": (4, 2),
        "large": (2, 1),
    }


def test_a_report_is_cut_by_hour(run: Run, ledger: Path) -> None:
    hours = told(run, "--ledger", ledger, "--by", "hour")["by"]["hour"]

    assert [(line["name"], line["work"]) for line in hours] == [
        ("2026-03-01T11:00+00:00", 2),
        ("2026-03-01T12:00+00:00", 4),
    ]


def test_a_time_leaves_the_rest_out(run: Run, ledger: Path) -> None:
    report = told(
        run,
        "--ledger",
        ledger,
        "--since",
        "2026-03-01T12:00Z",
        "--until",
        MOMENT.replace(hour=12, minute=1).isoformat(),
    )

    assert report["since"] == "2026-03-01T12:00:00+00:00"
    assert report["calls"] == 2


def test_the_newest_entries_come_with_their_ids(run: Run, ledger: Path) -> None:
    entries = told(run, "--ledger", ledger, "--entries", "2")["entries"]

    assert [entry["strategy"] for entry in entries] == ["none", "calls.coalesce"]
    assert all(len(entry["id"]) == 16 for entry in entries)


def test_a_service_that_idles_hides_no_call(run: Run, make: Make, kinds: Kinds) -> None:
    idle = kinds.call(name="idle", model="", work=Work(0, "request"), tokens=Tokens())
    sums = kinds.call(strategy="trial.calls.exact", work=Work(0, "request"), tokens=Tokens())
    path = make([kinds.call(), kinds.hit(), *[kinds.overhead(), idle, sums] * 40])

    entries = told(run, "--ledger", path, "--entries", "10")["entries"]

    assert [entry["strategy"] for entry in entries] == ["calls.exact", "none"]


def test_gaps_are_named_counted_and_explained(run: Run, ledger: Path) -> None:
    gaps = told(run, "--ledger", ledger)["gaps"]

    assert gaps["in_entries"] == 3
    assert {gap["what"]: gap["count"] for gap in gaps["named"]} == {
        "model-unknown": 1,
        "zone-assumed": 1,
        "upstream-answered:429": 1,
    }
    assert all(gap["means"].endswith(".") for gap in gaps["named"])


def test_people_see_the_gaps_with_what_they_mean(run: Run, ledger: Path) -> None:
    shown = run("report", "--ledger", ledger).stdout

    assert "What could not be known" in shown
    assert "1 ×  service answered with an error (429)" in shown


def test_people_see_how_many_hits_the_policy_left_out(run: Run, ledger: Path) -> None:
    shown = run("report", "--ledger", ledger).stdout

    assert "Hits left out  1 call" in shown
    assert 'sampled = "reuse"' in shown


def test_a_saving_is_called_one(run: Run, ledger: Path) -> None:
    shown = run("report", "--ledger", ledger).stdout

    assert "net saving" in shown
    assert "3.90 Wh" in shown
    assert "−49 %" in shown


def test_a_loss_is_called_one(run: Run, make: Make, kinds: Kinds) -> None:
    path = make([kinds.call(), kinds.hit(0.5), kinds.overhead(1.0)])

    shown = run("report", "--ledger", path).stdout

    assert "net: a loss" in shown
    assert "−500 mWh" in shown
    assert "+33 %" in shown
    assert "net saving" not in shown


def test_work_that_was_only_measured_is_no_loss_of_lichens(
    run: Run, make: Make, kinds: Kinds
) -> None:
    job = kinds.call(strategy="none", model="", work=Work(1, "run"), tokens=Tokens())
    path = make([job, kinds.overhead(5.0)])

    shown = " ".join(run("report", "--ledger", path).stdout.split())

    assert shown.startswith("What the work used all of it")
    assert "used by lichen 5.00 Wh" in shown
    assert "it was measured, and that is all" in shown
    for told in ("net", "loss", "with lichen", "+500 %", "hits", "By model"):
        assert told not in shown


def test_measured_work_beside_a_saving_keeps_the_net_of_both(
    run: Run, make: Make, kinds: Kinds
) -> None:
    job = kinds.call(strategy="none", model="", work=Work(1, "run"), tokens=Tokens())
    path = make([job, kinds.call(), kinds.hit(1.0)])

    shown = " ".join(run("report", "--ledger", path).stdout.split())

    assert "net saving" in shown
    assert "with lichen" in shown


def test_a_saving_that_may_be_a_loss_is_said_to_be(run: Run, make: Make, kinds: Kinds) -> None:
    path = make([kinds.call(), kinds.hit(1.0), kinds.overhead(0.5)])

    shown = run("report", "--ledger", path).stdout

    assert "it may be a loss" in " ".join(shown.split())


def test_a_sure_saving_is_not_said_to_be_a_loss(run: Run, make: Make, kinds: Kinds) -> None:
    path = make([kinds.call(), kinds.hit(1.0), kinds.overhead(0.001)])

    assert "loss" not in run("report", "--ledger", path).stdout


def test_an_empty_ledger_says_how_to_fill_it(run: Run, make: Make) -> None:
    result = run("report", "--ledger", make([]))

    assert result.exit_code == 0
    assert "OPENAI_BASE_URL" in result.stdout


def test_an_empty_ledger_is_json_too(run: Run, make: Make) -> None:
    report = told(run, "--ledger", make([]))

    assert (report["calls"], report["hit_rate"], report["sci"]) == (0, None, [])


def test_reading_makes_no_ledger(run: Run, tmp_path: Path) -> None:
    run("report", "--ledger", "typo.db")

    assert not (tmp_path / "typo.db").exists()


def test_a_call_that_failed_and_what_was_no_call_are_called_so(
    run: Run, make: Make, kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    nothing: dict[str, Any] = {"work": Work(0, "request"), "tokens": Tokens()}
    failed = kinds.call(0, method="unknown/1", gaps=("upstream-answered:404",), **nothing)
    path = make([kinds.call(), kinds.call(name="idle", model="", **nothing), failed])

    lines = run("report", "--ledger", path, "--entries", "3").stdout.rstrip().splitlines()

    newest, asked = lines[-2:]
    assert re.search(r"failed: error 404 · small +0 +\? +–$", newest)
    assert any(line.strip().startswith("outside any call") for line in lines)
    assert re.search(r"asked the model · small +150 +1\.00 Wh +–$", asked)
    assert any(line.split()[:3] == ["asked", "the", "model"] for line in lines)


def test_a_name_from_outside_cannot_move_the_cursor(run: Run, make: Make, kinds: Kinds) -> None:
    path = make([kinds.call(model="evil\x1b[2J[red]name")])

    shown = run("report", "--ledger", path, "--entries", "1").stdout

    assert "\x1b" not in shown
    assert "evil�[2J[red]name" in shown


def test_the_password_of_a_database_is_not_shown() -> None:
    assert shown("postgresql://me:secret@host/book") == "postgresql://me:…@host/book"


def test_what_was_moved_to_a_cleaner_hour_is_headed_by_carbon_and_not_by_0_wh(
    run: Run, kinds: Kinds, make: Make
) -> None:
    same = sample_footprint(wh=1.0)
    cleaner = replace(same, operational=same.operational * 0.25)
    job = kinds.call(strategy="train.green", work=Work(1, "training run"), footprint=cleaner)
    moved = replace(job, baseline=Baseline(same, "run-now/1", "0" * 16))
    ledger = make([moved])

    shown = run("report", "--ledger", ledger, "--entries", 1).stdout

    head = shown[shown.index("without lichen") : shown.index("used by the work")]
    assert "Wh" not in head
    assert re.search(r"without lichen .* 500 mgCO₂e\n", head)
    assert re.search(r"with lichen .* 200 mgCO₂e +−60 %", head)
    assert re.search(r"Newest entries.*300 mgCO₂e", shown, flags=re.DOTALL)


def test_a_report_of_trainings_alone_says_what_it_holds_and_counts_no_calls(
    run: Run, kinds: Kinds, make: Make
) -> None:
    job = kinds.call(strategy="train.green", model="", work=Work(1, "training run"))
    ledger = make([job, job])

    shown = run("report", "--ledger", ledger, "--by", "strategy").stdout

    assert "What the work used, and what was avoided" in shown
    assert "2 training runs" in shown
    assert "0 calls" not in shown
    assert "answered by" not in shown


def test_a_report_of_trainings_and_calls_counts_both(run: Run, kinds: Kinds, make: Make) -> None:
    job = kinds.call(strategy="train.green", model="", work=Work(1, "training run"))

    shown = run("report", "--ledger", make([job, kinds.call()])).stdout

    assert "What calls and other work used" in shown
    assert "1 training run\n  1 call " in shown


def test_what_was_spared_and_what_was_moved_are_drawn_both(
    run: Run, kinds: Kinds, make: Make
) -> None:
    same = sample_footprint(wh=1.0)
    moved = kinds.call(
        strategy="calls.batch",
        footprint=replace(same, operational=same.operational * 0.25),
        baseline=Baseline(same, "deferred/1", "0" * 16),
    )
    ledger = make([moved, kinds.hit()])

    shown = run("report", "--ledger", ledger).stdout

    assert shown.count("without lichen") == 2


def test_a_job_of_assumed_power_is_named_among_what_could_not_be_known(
    run: Run, kinds: Kinds, make: Make
) -> None:
    lost = kinds.call(strategy="train.green", work=Work(0, "training run"), gaps=("power-assumed",))

    shown = run("report", "--ledger", make([lost])).stdout

    assert "power assumed" in shown
    assert "say what a job draws with --power" in " ".join(shown.split())


def test_similar_questions_are_told_with_their_error_and_what_it_allows(
    run: Run, ledger: Path
) -> None:
    decider = Decider(0.05, prior=PRIOR, regions=len(REGIONS))
    with closing(Kept(ledger.with_name("book.db.similar"), None, print)) as kept:
        learner = Learner("one", "small", 0.05, decider)
        alike = (0.0,) * len(FEATURES)
        for correct in (True,) * 21 + (False,):
            learner.learn(learner.decider.decide(alike), correct=correct, spared_j=0.0)
        kept.learn(learner.name, learner.state())

    [told_of] = told(run, "--ledger", ledger)["similar"]
    text = run("report", "--ledger", ledger).stdout

    assert (told_of["verified"], told_of["wrong"]) == (22, 1)
    assert "22 verified, 1 wrong" in text
    for column in ("verified", "error ≤", "says"):
        assert column in text
    assert "no safe threshold yet" in text
