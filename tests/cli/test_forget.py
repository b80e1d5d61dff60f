"""`lichen forget`: what it erases, asks and says. See end_to_end/test_forget.py for the bytes."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from lichen.calls.answers import AnswerStore
from lichen.calls.similar.kept import Kept, Question
from lichen.calls.tenant import tenants_of_key
from lichen.cli import lichen
from lichen.ledger.entry import FORGOTTEN
from lichen.ledger.sqlite import SqliteStore
from lichen.testing.samples import MOMENT, sample_entry, sample_figures
from lichen.testing.stored_answers import answer

if TYPE_CHECKING:
    from pathlib import Path

    from lichen.ledger.entry import Entry
    from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _nobody_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lichen.cli.forget._HEARD_S", 0.0)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with entries of two tenants, and their answers beside it."""
    path = tmp_path / "book.db"
    with closing(SqliteStore(path)) as store:
        for minute, tenant in enumerate(("ann", "bob", "ann")):
            figures = sample_figures(minute, raw={"call": f"c{minute}", "answer": "a"})
            at = MOMENT + timedelta(minutes=minute)
            store.append([sample_entry(at, figures, tenant=tenant)])
    answers = AnswerStore(path.with_name("book.db.answers"))
    answers.keep(answer(1, b'{"said": "to Ann"}', tenant="ann"))
    answers.keep(answer(2, b'{"said": "to Bob"}', tenant="bob"))
    answers.close()
    return path


def entries(ledger: Path) -> list[Entry]:
    with closing(SqliteStore(ledger)) as store:
        return list(store.entries())


def answers_left(ledger: Path) -> list[int]:
    with closing(AnswerStore(ledger.with_name("book.db.answers"))) as store:
        return [n for n in (1, 2) if store.find(answer(n).key) is not None]


def test_a_tenant_is_forgotten_in_the_ledger_and_its_answers_are_gone(
    run: Run, ledger: Path
) -> None:
    done = run("forget", "--tenant", "ann", "--yes", "--ledger", ledger, "--json")

    said = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (said["entries"], said["answers"], said["shared_answers"]) == (2, 1, 0)
    assert any("provider" in line for line in said["not_reached"])
    assert [entry.tenant for entry in entries(ledger)] == [FORGOTTEN, "bob", FORGOTTEN]
    assert answers_left(ledger) == [2]


def test_a_report_is_the_same_before_and_after(run: Run, ledger: Path) -> None:
    before = run("report", "--ledger", ledger, "--json").stdout

    run("forget", "--tenant", "ann", "--yes", "--ledger", ledger)

    assert json.loads(run("report", "--ledger", ledger, "--json").stdout) == json.loads(before)


def test_words_are_looked_for_in_answers_and_it_says_what_it_cannot_see(
    run: Run, ledger: Path
) -> None:
    done = run("forget", "--contains", "TO ANN", "--yes", "--ledger", ledger)

    assert done.exit_code == 0
    assert answers_left(ledger) == [2]
    assert [entry.tenant for entry in entries(ledger)] == ["ann", "bob", "ann"]
    assert "in which words cannot be found" in " ".join(done.stdout.split())


def test_what_is_older_than_a_moment_is_forgotten(run: Run, ledger: Path) -> None:
    moment = (MOMENT + timedelta(seconds=90)).isoformat()

    done = run("forget", "--before", moment, "--yes", "--ledger", ledger)

    assert done.exit_code == 0
    assert [entry.tenant for entry in entries(ledger)] == [FORGOTTEN, FORGOTTEN, "ann"]
    assert answers_left(ledger) == [1, 2]


def test_an_api_key_is_asked_for_and_stands_nowhere(ledger: Path) -> None:
    tenant = tenants_of_key("sk-ann")[0]
    with closing(SqliteStore(ledger)) as store:
        store.append([sample_entry(MOMENT + timedelta(hours=1), tenant=tenant)])

    arguments = ["forget", "--key", "--yes", "--ledger", str(ledger)]
    done = CliRunner().invoke(lichen, arguments, input="sk-ann\n")

    assert done.exit_code == 0
    assert entries(ledger)[-1].tenant == FORGOTTEN
    assert "sk-ann" not in done.output


def test_nothing_found_is_a_finding(run: Run, ledger: Path) -> None:
    done = run("forget", "--tenant", "nobody", "--yes", "--ledger", ledger)

    assert done.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "give a tenant, a text or a moment"),
        (["--tenant", "ann"], "say --yes to erase without asking"),
        (["--before", "yesterday-ish", "--yes"], "is no time"),
        (["--tenant", "a", "--key", "--yes"], "give one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_goes(
    run: Run, ledger: Path, arguments: list[str], why: str
) -> None:
    done = run("forget", *arguments, "--ledger", ledger)

    assert done.exit_code == 2
    assert why in done.stderr
    assert [entry.tenant for entry in entries(ledger)] == ["ann", "bob", "ann"]
    assert answers_left(ledger) == [1, 2]


def test_a_ledger_that_is_not_there_is_not_made(run: Run, tmp_path: Path) -> None:
    done = run("forget", "--tenant", "ann", "--yes", "--ledger", tmp_path / "none.db")

    assert done.exit_code == 2
    assert list(tmp_path.glob("none*")) == []


def test_no_answers_file_is_made_to_look_for_answers(run: Run, ledger: Path) -> None:
    ledger.with_name("book.db.answers").unlink()

    run("forget", "--tenant", "ann", "--yes", "--ledger", ledger)

    assert not ledger.with_name("book.db.answers").exists()


def test_what_steps_keep_is_erased_whatever_is_configured_now(run: Run, ledger: Path) -> None:
    path = ledger.with_name("book.db.similar")
    kept = Kept(path, "minilm", print)
    for number, owner in enumerate(("ann", "bob")):
        asked = f"What does {owner} live on?"
        key = bytes([number]) * 32
        kept.put(Question(key, b"s", owner, f"e{number}", asked, None, 1, 2**60))
    kept.close()

    done = run("forget", "--contains", "ann live", "--yes", "--ledger", ledger, "--json")

    assert json.loads(done.stdout)["steps"] == {"batch": 0, "gate": 0, "similar": 1}
    content = b"".join(each.read_bytes() for each in ledger.parent.glob("book.db.similar*"))
    assert b"ann live" not in content
    assert b"bob live" in content


def test_a_proof_of_what_was_forgotten_says_that_it_was(run: Run, ledger: Path) -> None:
    with closing(SqliteStore(ledger)) as store:
        paid = sample_figures(4, raw={"call": "c", "answer": "a"}, strategy="none", baseline=None)
        source = sample_entry(MOMENT + timedelta(hours=2), paid, tenant="ann")
        hit = sample_figures(1, raw={"call": "c", "answer": "a"}, strategy="calls.exact")
        assert hit.baseline is not None
        hit = replace(hit, baseline=replace(hit.baseline, evidence=source.id))
        claim = sample_entry(MOMENT + timedelta(hours=3), hit, tenant="ann")
        store.append([source, claim])
    run("forget", "--tenant", "ann", "--yes", "--ledger", ledger)

    done = run("prove", claim.id, "--ledger", ledger)

    assert done.exit_code == 1
    assert "was forgotten on request" in done.stderr
