"""What steps learn outlives a restart where there is a place for files, whatever the ledger is."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import pytest

from lichen.assemble import learnt_in_memory
from lichen.calls.forget import Forget
from lichen.calls.gate.cascade import CascadeStep
from lichen.calls.gate.forgetting import forget_lengths
from lichen.calls.similar.step import Similar
from lichen.calls.steps import Place
from lichen.ledger.errors import InputError
from lichen.settings import load
from lichen.testing.desks import VERBS, Desk, expert
from lichen.testing.upstreams import chat_answer, chat_usage, whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lichen.testing.callers import House
    from tests.calls.conftest import Build

PING = {"name": "ping", "exact": ["ping"], "answer": "pong"}
DATABASE = "postgresql://lichen@127.0.0.1:1/lichen"


def chat(text: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "gpt-4o-mini", "messages": messages, **fields}


@pytest.fixture(params=["file", "state"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Settings of a ledger that is a file, or of one that is none and a folder for state."""
    if request.param == "file":
        return {"ledger": str(tmp_path / "lichen.db")}
    return {"ledger": "memory:", "state": str(tmp_path / "state")}


async def seen_ten(house: House) -> None:
    """Let the gate see ten answers of forty tokens, and stop."""
    await house.gateway.layers.start()
    for number in range(10):
        await house.ask(chat(f"Tell me about {number}."))
    await house.gateway.layers.close()


def gated(build: Build, kept: dict[str, Any]) -> House:
    answer = whole(chat_answer(usage=chat_usage(read=20, written=40)))
    return build(answer, gate={"rule": [PING]}, holdout={"share": 0}, **kept)


async def pinged(house: House) -> dict[str, Any]:
    """What the book says of an answer of the rule."""
    await house.ask(chat("ping"))
    figures = house.last.figures
    assert figures.baseline is not None
    return {**figures.raw, "decode": figures.baseline.tokens.decode, "gaps": figures.gaps}


async def test_how_long_answers_were_is_known_after_a_restart(
    build: Build, kept: dict[str, Any]
) -> None:
    await seen_ten(gated(build, kept))

    said = await pinged(gated(build, kept))

    assert (said["answers"], said["decode"]) == (10, 40)
    assert "output-assumed" not in said["gaps"]


async def test_what_similar_answers_were_worth_is_known_after_a_restart(
    build: Build, kept: dict[str, Any]
) -> None:
    how: dict[str, Any] = {"route": ({"similar": "shadow", "error": 0.3},), **kept}
    desk = Desk(build(expert, **how), error=0.3)
    await desk.open()
    await desk.teach(VERBS[:6])
    tenant = desk.house.last.tenant
    before = desk.step.learner(tenant, "gpt-4o-mini", 0.3).standing
    await desk.close()

    again = Desk(build(expert, **how), error=0.3)
    await again.open()
    after = again.step.learner(tenant, "gpt-4o-mini", 0.3).standing
    await again.close()

    assert before.verified > 0
    assert after == before


async def test_trust_in_a_smaller_model_is_known_after_a_restart(
    build: Build, kept: dict[str, Any]
) -> None:
    cascade = {"name": "mini", "model": "gpt-4o", "small": "gpt-4o-mini"}

    def opened() -> CascadeStep:
        layers = build(gate={"cascade": [cascade]}, **kept).gateway.layers
        return next(step for step in layers.steps if isinstance(step, CascadeStep))

    trust = opened().littles[0].trust
    trust.decider.learn(trust.decider.decide((0.0,) * 5), correct=True)
    trust.save()

    again = opened().littles[0].trust

    assert again.decider.state() == trust.decider.state()


async def test_files_of_state_are_their_owner_s_alone(build: Build, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    await seen_ten(gated(build, {"ledger": "memory:", "state": str(folder)}))

    files = modes(folder)

    assert files == {"lichen.db.learning": 0o600, "lichen.db.lengths": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_lengths_of_a_forgotten_tenant_s_answers_go_and_sums_over_all_stay(
    build: Build, kept: dict[str, Any]
) -> None:
    house = gated(build, kept)
    await seen_ten(house)
    place = Place(kept["ledger"], kept.get("state", ""))
    path = place.file("lengths")
    tenant = house.last.tenant
    assert path is not None
    assert tenant in path.read_text()

    gone = [forget_lengths(place, Forget(tenant=tenant)) for _ in range(2)]
    said = await pinged(gated(build, kept))

    assert gone == [1, 0]
    assert tenant not in path.read_text()
    assert said["answers"] == 10


async def test_a_gate_that_runs_forgets_lengths_in_memory_and_in_its_file(
    build: Build, kept: dict[str, Any]
) -> None:
    await seen_ten(gated(build, kept))
    house = gated(build, kept)

    gone = await house.gateway.layers.forget(Forget(contains="GPT-4o"))
    said, later = await pinged(house), await pinged(gated(build, kept))

    assert gone["gate"] == 2  # of the tenant and the model, and of the model
    path = Place(kept["ledger"], kept.get("state", "")).file("lengths")
    assert path is not None
    assert "gpt-4o" not in path.read_text()
    # Those of that kind of call, by any model, are still known.
    assert said["answers"] == later["answers"] == 10


async def test_a_file_that_cannot_be_read_begins_anew_and_is_told(
    build: Build, tmp_path: Path
) -> None:
    kept = {"ledger": str(tmp_path / "lichen.db")}
    (tmp_path / "lichen.db.lengths").write_text('{"version": 1, "sums": [["a", [0]]]}')

    house = gated(build, kept)

    assert "lengths of answers are learnt anew" in str(house.troubles)
    assert (await pinged(house))["answers"] == 0


async def test_a_tenant_s_decider_is_forgotten_with_it(build: Build, tmp_path: Path) -> None:
    how: dict[str, Any] = {"route": ({"similar": "shadow", "error": 0.3},)}
    desk = Desk(build(expert, ledger=str(tmp_path / "lichen.db"), **how), error=0.3)
    await desk.open()
    await desk.teach(VERBS[:3])
    tenant = desk.house.last.tenant

    await desk.house.gateway.layers.forget(Forget(tenant=tenant))
    await desk.close()

    assert tenant.encode() not in (tmp_path / "lichen.db.similar").read_bytes()
    assert isinstance(desk.step, Similar)


@pytest.mark.parametrize(
    ("settings", "lost"),
    [
        ({}, []),
        ({"route": ({"similar": "shadow"},)}, ["what similar answers were worth"]),
        ({"route": ({"similar": "on"},), "similar": {"keep": "memory"}}, []),
        ({"route": ({"compress": "lossless"},)}, ["trials of shorter prompts"]),
        ({"route": ({"compress": "lossless"},), "steps": "gate,keeping"}, []),
        ({"gate": {"rule": [PING]}}, ["lengths of answers"]),
        ({"gate": {"rule": [PING]}, "state": "here"}, []),
        ({"gate": {"rule": [PING]}, "ledger": "memory:"}, []),
        ({"gate": {"rule": [PING]}, "ledger": "lichen.db"}, []),
    ],
)
def test_what_is_learnt_and_lost_with_a_ledger_in_a_database_is_named(
    settings: dict[str, Any], lost: list[str]
) -> None:
    given = load(environ={}, **{"ledger": DATABASE, **settings})

    assert learnt_in_memory(given) == lost


def test_a_folder_that_cannot_be_one_is_refused_with_the_way_out(
    build: Callable[..., House], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=r"file cannot be made for state"):
        build(state=str(tmp_path / "file"))
