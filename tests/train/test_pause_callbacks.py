"""The pause callbacks inside real trainers: SIGTERM, a checkpoint, exit 75, resumed, done.

Each training is a program of its own that signals itself after its third step, at a moment that a
scheduler could have chosen: between what the trainer calls and the next batch.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_RESUME_ME = 75
_STEPS = 8

HUGGINGFACE = '''
import json, os, signal, sys
from pathlib import Path
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments
import lichen
from lichen.hooks.huggingface import training_run
from lichen.train.green.huggingface import exit_if_paused, pause_callback, resume_from

class Signals(TrainerCallback):
    """Sends one after the third step that this program does."""
    done = 0
    def on_step_begin(self, *_, **__):
        self.done += 1
        if self.done == 3 and len(sys.argv) > 1:
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))

folder = Path(os.environ["LICHEN_CHECKPOINT_DIR"])
config = GPT2Config(vocab_size=32, n_positions=8, n_embd=8, n_layer=1, n_head=1, bos_token_id=0,
                    eos_token_id=0, loss_type="ForCausalLM")
ids = torch.arange(8)
torch.manual_seed(1)
pause, book = pause_callback(), lichen.open()
trainer = Trainer(
    model=GPT2LMHeadModel(config),
    args=TrainingArguments(output_dir=str(folder), num_train_epochs=2, report_to=[], use_cpu=True,
                           per_device_train_batch_size=4, save_strategy="no", logging_steps=1),
    train_dataset=[{"input_ids": ids, "labels": ids} for _ in range(16)],
    callbacks=[Signals(), pause, training_run(book, pause=pause)],
)
trainer.train(resume_from_checkpoint=resume_from(folder))
book.flush()
steps = [line["step"] for line in trainer.state.log_history if "loss" in line]
Path("told.json").write_text(json.dumps({"steps": trainer.state.global_step, "losses": steps}))
exit_if_paused(pause)
'''

LIGHTNING = '''
import json, os, signal, sys
from pathlib import Path
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
import lichen
from lichen.hooks.lightning import training_run
from lichen.train.green.lightning import exit_if_paused, pause_callback

class Signals(Callback):
    """Sends one after the third step that this program does."""
    done = 0
    def on_train_batch_start(self, *_):
        self.done += 1
        if self.done == 3 and len(sys.argv) > 1:
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))

class Linear(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.seen = []
    def training_step(self, batch, _):
        self.seen.append(int(self.trainer.global_step) + 1)
        return self.layer(batch).square().mean()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

pause, book, model = pause_callback(), lichen.open(), Linear()
trainer = Trainer(max_epochs=2, min_epochs=2, accelerator="cpu", logger=False,
                  enable_checkpointing=False,
                  callbacks=[Signals(), pause, training_run(book, pause=pause)])
trainer.fit(model, torch.utils.data.DataLoader(torch.ones(16, 4), batch_size=4),
            ckpt_path=pause.resume_from)
book.flush()
Path("told.json").write_text(json.dumps({"steps": trainer.global_step, "losses": model.seen}))
exit_if_paused(pause)
'''


@pytest.fixture(
    params=[
        pytest.param(
            (program, kept),
            id=needs[-1],
            marks=pytest.mark.skipif(
                not all(map(find_spec, needs)), reason=f"needs {', '.join(needs)}"
            ),
        )
        for program, kept, needs in (
            (HUGGINGFACE, "checkpoint-3", ("torch", "accelerate", "transformers")),
            (LIGHTNING, "lichen.ckpt", ("torch", "lightning")),
        )
    ]
)
def training(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """What runs a training: its exit code and what it says; and the checkpoint it leaves."""
    program, kept = request.param
    checkpoint = tmp_path / "checkpoints" / kept

    def run(*signals: str, resumed: bool = False) -> tuple[int, dict[str, Any], Path]:
        done = subprocess.run(
            [sys.executable, "-c", program, *signals],
            cwd=tmp_path,
            env=os.environ
            | {
                "LICHEN_CHECKPOINT_DIR": str(checkpoint.parent),
                "LICHEN_RESUME": str(int(resumed)),
                "LICHEN_LEDGER": "book.db",
                "LICHEN_ZONE": "SE-SE3",
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        told = tmp_path / "told.json"
        assert told.exists(), done.stderr
        return done.returncode, json.loads(told.read_text()), checkpoint

    return run


def booked(folder: Path) -> list[Any]:
    import lichen

    with lichen.open(folder / "book.db") as book:
        return [entry.figures for entry in book.store.entries()]


def test_a_paused_training_resumes_from_its_checkpoint_and_does_each_step_once(
    training: Any, tmp_path: Path
) -> None:
    code, told, checkpoint = training("SIGTERM")
    resumed_code, resumed, _ = training(resumed=True)

    assert (code, told["steps"]) == (_RESUME_ME, 3)
    assert checkpoint.exists()
    assert (resumed_code, resumed["steps"]) == (0, _STEPS)
    assert resumed["losses"][-5:] == [4, 5, 6, 7, 8]
    stretches = booked(tmp_path)
    assert [line.work.amount for line in stretches] == [0, 1]
    assert stretches[0].gaps == ("paused",)


def test_resumed_without_a_checkpoint_it_starts_anew_and_writes_one_when_asked(
    training: Any,
) -> None:
    code, told, checkpoint = training("SIGUSR1", resumed=True)

    assert (code, told["steps"]) == (0, _STEPS)
    assert checkpoint.exists()


@pytest.mark.skipif(
    not all(map(find_spec, ("torch", "lightning"))), reason="needs torch, lightning"
)
@pytest.mark.filterwarnings(
    "ignore:The .srun. command",
    "ignore:.*does not have many workers",
    "ignore:.*LeafSpec:FutureWarning",
)
def test_a_training_that_others_stop_early_is_not_paused(tmp_path: Path) -> None:
    import torch
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.demos.boring_classes import BoringModel

    from lichen.train.green.lightning import exit_if_paused, pause_callback

    class Early(Callback):  # type: ignore[misc]
        def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
            trainer.should_stop = True

    pause = pause_callback(tmp_path)
    trainer = Trainer(
        max_epochs=1,
        min_steps=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Early(), pause],
    )

    trainer.fit(BoringModel(), torch.utils.data.DataLoader(torch.ones(8, 32)))

    exit_if_paused(pause)
    assert trainer.should_stop
    assert not list(tmp_path.iterdir())
