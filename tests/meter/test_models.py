"""The model registry: frozen facts, and the names users call models by."""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.resources
import json
import runpy
from pathlib import Path

import pytest

from lichen.meter.models import UNKNOWN, Size, registry, stated

ROOT = Path(__file__).resolve().parents[2]


def frozen_rows() -> list[list[str]]:
    table = importlib.resources.files("lichen.meter") / "models.csv"
    return list(csv.reader(table.read_text("utf-8").splitlines()))[1:]


def test_the_frozen_registry_is_what_the_named_version_of_ecologits_says() -> None:
    frozen = frozen_rows()
    source, retrieved = frozen[0][-2:]
    installed = f"ecologits {importlib.metadata.version('ecologits')}"
    if source != installed:
        pytest.skip(f"the registry is frozen from {source}, {installed} is installed")
    table = importlib.resources.files("ecologits") / "data" / "models.json"
    freeze = runpy.run_path(str(ROOT / "tools" / "freeze_models.py"))

    made = freeze["rows"](json.loads(table.read_text("utf-8")), source, retrieved)

    assert [list(row) for row in made] == frozen


def test_every_frozen_row_says_where_it_is_from_and_has_parameters_in_order() -> None:
    for row in frozen_rows():
        total_low, total_high, active_low, active_high = map(float, row[2:6])

        assert 0 < active_low <= active_high
        assert active_low <= total_low <= total_high
        assert active_high <= total_high
        assert row[-2]
        assert row[-1]


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o",
        "GPT-4o",
        " gpt-4o ",
        "gpt-4o-2024-08-06",
        "gpt-4o-2031-01-31",
        "openai/gpt-4o",
        "azure/openai/gpt-4o",
        "ft:gpt-4o-2024-08-06:org::id",
        "gpt-4o:free",
    ],
)
def test_a_dated_or_prefixed_name_is_the_same_model(name: str) -> None:
    found = registry().find(name)

    assert found.size == Size(440, 440, 44, 132)
    assert found.gaps == ()


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("gpt-35-turbo", "gpt-3.5-turbo"),
        ("Meta-Llama-3.1-8B-Instruct", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
    ],
)
def test_a_name_as_a_provider_writes_it_finds_the_registered_model(name: str, known: str) -> None:
    assert registry().find(name).name == known


def test_a_longer_name_is_not_taken_for_a_shorter_model() -> None:
    mini, whole = registry().find("gpt-4o-mini"), registry().find("gpt-4o")

    assert mini.size.total_high < whole.size.total_low


@pytest.mark.parametrize(
    ("name", "total", "active"),
    [
        ("SmolLM2-135M-Instruct-Q4_K_M.gguf", 0.135, 0.135),
        ("llama9:8b", 8, 8),
        ("Qwen9/Qwen9-1.7B", 1.7, 1.7),
        ("qwen9-235b-a22b-instruct", 235, 22),
        ("DeepSeek-V9-671B-A37B", 671, 37),
        ("qwen9-14b-instruct-1m", 14, 14),
    ],
)
def test_a_name_that_states_its_size_is_taken_at_its_word(
    name: str, total: float, active: float
) -> None:
    found = registry().find(name)

    assert found.size == Size(total, total, active, active)
    assert found.gaps == ()


def test_experts_in_a_name_give_a_range_that_holds_the_published_count() -> None:
    size = stated("some-8x7b")

    # Mixtral 8x7B: 46.7 billion in all, 12.9 active (arXiv 2401.04088).
    assert size is not None
    assert size.total_low <= 46.7 <= size.total_high
    assert size.active_low <= 12.9 <= size.active_high


def test_active_billions_by_experts_are_not_taken_for_the_whole_model() -> None:
    size = stated("llama-4-maverick-17b-128e")

    # Llama 4 Maverick: 400 billion in all (its model card).
    assert size is not None
    assert size.active_high == 17
    assert size.total_high >= 400


def test_a_context_length_is_not_taken_for_a_size() -> None:
    assert stated("some-model-1m") is None


def test_an_unknown_model_of_a_known_family_is_as_wide_as_the_family() -> None:
    found = registry().find("gpt-4.9-ultra")

    kin = [registry().find(name).size for name in ("gpt-4", "gpt-4o-mini", "gpt-4.1-nano")]
    assert found.gaps == (f"{UNKNOWN}:family=gpt-4",)
    assert found.size.total_low <= min(size.total_low for size in kin)
    assert found.size.total_high >= max(size.total_high for size in kin)
    assert found.size.active_low <= min(size.active_low for size in kin)
    assert found.size.active_high >= max(size.active_high for size in kin)


def test_another_date_of_a_model_that_changed_its_size_is_not_guessed() -> None:
    found = registry().find("mistral-large-2607")

    assert found.gaps == (f"{UNKNOWN}:family=mistral-large",)
    assert found.size.total_low < found.size.total_high


@pytest.mark.parametrize("name", ["", "something-else", "x" * 10_000, "x" + "-it" * 5_000, "0b"])
def test_a_model_of_no_family_is_as_wide_as_the_whole_registry(name: str) -> None:
    found = registry().find(name)

    sizes = [model.size for model in registry().models.values()]
    assert found.gaps == (UNKNOWN,)
    assert found.size.active_low == min(size.active_low for size in sizes)
    assert found.size.total_high == max(size.total_high for size in sizes)


@pytest.mark.parametrize(("name", "gaps"), [("gpt-4o-0613", 0), ("gpt-4o-9000", 1)])
def test_four_digits_that_are_no_date_name_another_model(name: str, gaps: int) -> None:
    assert len(registry().find(name).gaps) == gaps
