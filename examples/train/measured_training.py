"""A tiny language model, trained by the Trainer of Hugging Face, and what that used.

    .venv/bin/pip install -c constraints.txt -e '.[huggingface]' torch accelerate
    LICHEN_ZONE=DE .venv/bin/python examples/train/measured_training.py

The model has 8,000 weights and learns to count to 31; nothing is downloaded. The training becomes a
line of the ledger `training.db`, each epoch one inside it; `lichen report --ledger training.db`
shows them again.
"""

from __future__ import annotations

import tempfile

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

import lichen
from lichen.hooks.huggingface import training_run


def main() -> None:
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=32,
        n_positions=32,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=0,
        eos_token_id=0,
        loss_type="ForCausalLM",
    )
    counting = torch.arange(32)
    with lichen.open("training.db") as book, tempfile.TemporaryDirectory() as folder:
        hook = training_run(book, epochs=True)
        trainer = Trainer(
            model=GPT2LMHeadModel(config),
            args=TrainingArguments(
                output_dir=folder,
                num_train_epochs=3,
                learning_rate=0.01,
                per_device_train_batch_size=8,
                logging_strategy="epoch",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
            ),
            train_dataset=[{"input_ids": counting, "labels": counting} for _ in range(256)],
            callbacks=[hook],
        )
        trainer.train()
        for line in trainer.state.log_history[:-1]:
            used, loss = line["lichen_epoch_energy_j"], line["loss"]
            print(f"epoch {line['epoch']:.0f}: loss {loss:.2f}, {used:.1f} J")
        print(f"the training: {hook.footprint.energy}, {hook.footprint.carbon}")
        print(f"carbon per run: {book.sci(per='training run')}")


if __name__ == "__main__":
    main()
