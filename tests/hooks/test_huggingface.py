"""The Trainer of Hugging Face, the real one, on a GPT-2 of 1,000 weights made here."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from lichen.hooks.huggingface import training_run
from lichen.ledger.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from lichen import Book

_NEEDS = ("torch", "transformers", "accelerate")
pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, _NEEDS)), reason=f"needs {', '.join(_NEEDS)}")
]
_STEPS, _TOKENS = 6, 192


@pytest.fixture
def trainer(tmp_path: Path) -> Any:
    """What makes a Trainer of two epochs, three steps of 4 × 8 tokens each."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    config = GPT2Config(
        vocab_size=32,
        n_positions=8,
        n_embd=8,
        n_layer=1,
        n_head=1,
        bos_token_id=0,
        eos_token_id=0,
        loss_type="ForCausalLM",
    )
    ids = torch.arange(8)

    def make(*callbacks: Any, **arguments: Any) -> Any:
        given: dict[str, Any] = {
            "num_train_epochs": 2,
            "per_device_train_batch_size": 4,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": [],
            "use_cpu": True,
            "disable_tqdm": True,
        }
        return Trainer(
            model=GPT2LMHeadModel(config),
            args=TrainingArguments(output_dir=str(tmp_path / "out"), **given | arguments),
            train_dataset=[{"input_ids": ids, "labels": ids} for _ in range(12)],
            callbacks=list(callbacks),
        )

    return make


def entries(book: Book) -> list[Any]:
    book.flush()
    return [entry.figures for entry in book.store.entries()]


def test_a_training_is_one_window_and_its_figures_are_the_trainer_s(
    book: Book, trainer: Any
) -> None:
    hook = training_run(book)
    made = trainer(hook)

    metrics = made.train().metrics

    [figures] = entries(book)
    assert (figures.work.amount, figures.work.unit) == (1, "training run")
    assert not figures.gaps
    used = figures.footprint
    assert metrics["lichen_energy_j"] == used.energy.value.in_joules > 0
    assert metrics["lichen_carbon_g"] == used.carbon.value.in_grams > 0
    assert made.state.log_history[-1]["lichen_energy_j"] == metrics["lichen_energy_j"]
    assert hook.footprint == used


def test_epochs_are_windows_inside_it_and_sum_up_to_it(book: Book, trainer: Any) -> None:
    hook = training_run(book, epochs=True)
    made = trainer(hook, logging_strategy="epoch")

    made.train()

    told = [line for line in made.state.log_history if "lichen_epoch_energy_j" in line]
    lines = entries(book)
    assert [line["epoch"] for line in told] == [1, 2]
    assert sorted(line.name for line in lines) == ["training", "training: epoch", "training: epoch"]
    total = sum(line.footprint.energy.value.in_joules for line in lines)
    assert total == pytest.approx(hook.footprint.energy.value.in_joules)
    assert book.sci(per="training run").work.amount == 1


def test_a_reporter_after_the_hook_is_told_the_figures_too(book: Book, trainer: Any) -> None:
    from transformers import TrainerCallback

    told: list[dict[str, float]] = []

    class Reporter(TrainerCallback):  # type: ignore[misc]
        def on_log(self, *_: Any, logs: Any, **__: Any) -> None:
            told.append(dict(logs))

    trainer(training_run(book), Reporter()).train()

    assert [("lichen_energy_j" in line) for line in told] == [False] * _STEPS + [True]


@pytest.mark.parametrize(("per", "amount"), [("step", _STEPS), ("token", _TOKENS)])
def test_work_is_counted_in_steps_or_tokens(
    book: Book, trainer: Any, per: str, amount: int
) -> None:
    trainer(training_run(book, per=per), include_num_input_tokens_seen="all").train()

    [figures] = entries(book)
    assert (figures.work.amount, figures.work.unit) == (amount, per)


def test_tokens_nobody_counts_are_a_gap(book: Book, trainer: Any) -> None:
    trainer(training_run(book, per="token")).train()

    [figures] = entries(book)
    assert figures.work.amount == 0
    assert figures.gaps == ("work-unknown",)


def test_only_the_steps_since_the_checkpoint_are_counted(book: Book, trainer: Any) -> None:
    trainer(num_train_epochs=1, save_strategy="steps", save_steps=2).train()

    trainer(training_run(book, per="step")).train(resume_from_checkpoint=True)

    [figures] = entries(book)
    assert figures.work.amount == _STEPS - 3


def test_a_training_that_raises_is_booked_when_the_next_begins(book: Book, trainer: Any) -> None:
    from transformers import TrainerCallback

    class Fault(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("out of memory")

    hook = training_run(book)
    with pytest.raises(RuntimeError, match="out of memory"):
        trainer(hook, Fault()).train()

    trainer(hook).train()

    first, second = entries(book)
    assert (first.raw["raised"], first.work.amount) == ("NeverEnded", 0)
    assert first.footprint.energy.value.in_joules > 0
    assert second.work.amount == 1


def test_a_training_that_ends_its_program_is_booked(tmp_path: Path) -> None:
    program = (
        "from lichen.hooks.huggingface import training_run\n"
        "from transformers import TrainerControl, TrainerState\n"
        "training_run().on_train_begin(None, TrainerState(), TrainerControl())\n"
        "raise RuntimeError('out of memory')\n"
    )
    path = tmp_path / "book.db"

    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"LICHEN_LEDGER": str(path), "LICHEN_ZONE": "SE-SE3"},
        capture_output=True,
        text=True,
        check=False,
    )

    import lichen

    assert "out of memory" in done.stderr
    with lichen.open(path) as book:
        [figures] = entries(book)
    assert figures.raw["raised"] == "NeverEnded"


def test_what_fails_in_accounting_never_reaches_the_run(ailing: Any, trainer: Any) -> None:
    made = trainer(training_run(ailing, epochs=True))

    done = made.train()

    assert done.global_step == _STEPS
    assert done.metrics["train_loss"] > 0


def test_a_ledger_that_cannot_be_opened_never_reaches_the_run(
    trainer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no.db").write_text("this is no ledger, and no database either" * 100)
    monkeypatch.setenv("LICHEN_LEDGER", str(tmp_path / "no.db"))

    done = trainer(training_run(epochs=True)).train()

    assert done.global_step == _STEPS
    assert "lichen_energy_j" not in done.metrics


def test_an_unknown_unit_is_refused_before_anything_runs(book: Book) -> None:
    with pytest.raises(InputError, match="'training run', 'step', 'token', got 'epoch'"):
        training_run(book, per="epoch")


def test_without_transformers_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(MissingExtra, match=r"transformers: .*-e '\.\[huggingface\]'"):
        training_run()
