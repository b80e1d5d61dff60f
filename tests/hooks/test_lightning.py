"""Lightning, the real one, on a linear model."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from lichen.hooks.lightning import training_run
from lichen.ledger.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from lichen import Book

_NEEDS = ("torch", "lightning")
pytestmark = [
    pytest.mark.skipif(not all(map(find_spec, _NEEDS)), reason=f"needs {', '.join(_NEEDS)}"),
    # Lightning's advice on the machine and the data of the test, and what torch tells Lightning.
    pytest.mark.filterwarnings(
        "ignore:The .srun. command",
        "ignore:.*does not have many workers",
        "ignore:.*LeafSpec:FutureWarning",
    ),
]
_STEPS = 6


@pytest.fixture
def fit(tmp_path: Path) -> Any:
    """What fits a linear model for two epochs of three batches, and gives its trainer."""
    import torch
    from lightning.pytorch import LightningModule, Trainer

    class Linear(LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch: Any, _: int) -> Any:
            return self.layer(batch).square().mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def run(*callbacks: Any, **arguments: Any) -> Any:
        given: dict[str, Any] = {
            "max_epochs": 2,
            "accelerator": "cpu",
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": tmp_path,
        }
        trainer = Trainer(callbacks=list(callbacks), **given | arguments)
        trainer.fit(Linear(), torch.utils.data.DataLoader(torch.ones(12, 4), batch_size=4))
        return trainer

    return run


def entries(book: Book) -> list[Any]:
    book.flush()
    return [entry.figures for entry in book.store.entries()]


def test_a_fit_is_one_window(book: Book, fit: Any) -> None:
    hook = training_run(book)

    fit(hook)

    [figures] = entries(book)
    assert (figures.work.amount, figures.work.unit) == (1, "training run")
    assert hook.footprint == figures.footprint
    assert figures.footprint.energy.value.in_joules > 0


def test_the_loggers_are_told_what_the_run_used(book: Book, fit: Any, tmp_path: Path) -> None:
    from lightning.pytorch.loggers import CSVLogger

    hook = training_run(book, epochs=True)

    trainer = fit(hook, logger=CSVLogger(tmp_path), log_every_n_steps=1)

    rows = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()
    energy = rows[0].split(",").index("lichen_energy_j")
    assert float(rows[-1].split(",")[energy]) == hook.footprint.energy.value.in_joules
    assert trainer.callback_metrics["lichen_epoch_energy_j"] > 0


def test_epochs_are_windows_inside_it_and_sum_up_to_it(book: Book, fit: Any) -> None:
    hook = training_run(book, epochs=True, per="step")

    fit(hook)

    lines = entries(book)
    assert sorted(line.name for line in lines) == ["training", "training: epoch", "training: epoch"]
    total = sum(line.footprint.energy.value.in_joules for line in lines)
    assert total == pytest.approx(hook.footprint.energy.value.in_joules)
    assert book.sci(per="step").work.amount == _STEPS


def test_a_fit_that_raises_is_booked_and_raises(book: Book, fit: Any) -> None:
    from lightning.pytorch.callbacks import Callback

    class Fault(Callback):  # type: ignore[misc]
        def on_train_batch_end(self, *_: Any) -> None:
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fit(training_run(book), Fault())

    [figures] = entries(book)
    assert (figures.raw["raised"], figures.work.amount) == ("RuntimeError", 0)


def test_what_fails_in_accounting_never_reaches_the_run(ailing: Any, fit: Any) -> None:
    trainer = fit(training_run(ailing, epochs=True))

    assert trainer.global_step == _STEPS


def test_an_unknown_unit_is_refused_before_anything_runs(book: Book) -> None:
    with pytest.raises(InputError, match="'training run', 'step', got 'token'"):
        training_run(book, per="token")


def test_without_lightning_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning.pytorch.callbacks", None)

    with pytest.raises(MissingExtra, match=r"lightning: .*-e '\.\[lightning\]'"):
        training_run()
