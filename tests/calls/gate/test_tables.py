"""Tables of the gate as they are written: what makes no sense says where it stands, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lichen.ledger.errors import InputError
from lichen.settings import load

if TYPE_CHECKING:
    from pathlib import Path

BAD = [
    ('[[gate.rule]]\nexact = "a"', r"rule\]\] 1: it does nothing: give answer or refuse"),
    ("[[gate.rule]]", r"it does nothing: give answer, refuse, max_tokens or n"),
    ("[gate]\nrule = 5", r"rule in \[gate\] cannot be read: they are tables"),
    ('[[gate.rule]]\nanswr = "a"', r"rule\]\] 1: unknown 'answr': did you mean 'answer'"),
    ('[[gate.rule]]\nexact = "a"\npattern = "b"\nanswer = "c"', "write a rule for each"),
    ('[[gate.rule]]\nname = "x"\npattern = "(?=a)"\nanswer = "c"', r"x: pattern.*look-around"),
    ('[[gate.rule]]\npattern = "a"\nanswer = "{city}"', r"rule-1: answer: \{city\} is no group"),
    ('[[gate.rule]]\nexact = 5\nanswer = "a"', "exact cannot be 5: it is a text or a list"),
    ('[[gate.rule]]\nexact = []\nanswer = "a"', "a text or a list of texts"),
    ("[[gate.rule]]\nlonger = 0", "longer cannot be 0"),
    ('[[gate.rule]]\nlonger = 9\ncut = true\nrefuse = "x"', "cannot both cut and refuse"),
    ('[[gate.rule]]\nlonger = 9\nanswer = "x"', "answer does not go with longer: refuse, cut"),
    ('[[gate.rule]]\nrepeat = "1h"', "at most 300 s"),
    ('[[gate.rule]]\nrepeat = "2s"\nanswer = "x"', "answer does not go with repeat"),
    ('[[gate.rule]]\nlocal = "weather"', "what can be answered here: arithmetic, dates"),
    ('[[gate.rule]]\nlocal = "dates"\nzone = "Mars/Base"', "no time zone is called 'Mars/Base'"),
    ("[[gate.rule]]\nempty = true\nstatus = 429", "429 is for budgets"),
    ("[[gate.rule]]\nempty = true\nstatus = 200", "whole number from 400 to 499"),
    ('[[gate.rule]]\nexact = "a"\nanswer = "b"\nstatus = 400', "status goes with refuse"),
    ('[[gate.rule]]\nname = "a\\nb"\nempty = true', "name 'a.*' must be 1 to 64 letters"),
    (
        '[[gate.rule]]\nname = "x"\nempty = true\n[[gate.rule]]\nname = "x"\nempty = true',
        "two .*'x'",
    ),
    ('[[gate.rule]]\nempty = true\nmode = "maybe"', "one of on, dry"),
    ('[gate]\nrule = "x"', r"tables in lichen.toml, each begun with \[\[gate.rule\]\]"),
    ('[[gate.budget]]\nper = "day"', r"budget\]\] 1: it limits nothing"),
    ('[[gate.budget]]\ntokens = 5\nenergy = "1Wh"', "it limits tokens and energy"),
    ('[[gate.budget]]\ntokens = "5 apples"', "tokens cannot be '5 apples'"),
    ('[[gate.budget]]\nmoney = 5\ncurrency = "euro"', "no ISO 4217 code"),
    ('[[gate.budget]]\ntokens = 5\nper = "week"', "one of hour, day, month"),
    ('[[gate.budget]]\ntokens = 5\nzone = "CET+1"', "no time zone is called"),
    ("[[gate.budget]]\ntokens = 5\nsoft = 2", "share from 0 to 1"),
    ('[[gate.cascade]]\nmodel = "gpt-4o"', "it names no smaller model: give small"),
    ('[[gate.cascade]]\nsmall = "x"\nkey = "sk-secret"', "key and upstream_zone go with upstream"),
    ("[gate]\nrules = []", "did you mean 'rule'"),
]


@pytest.mark.parametrize(("text", "said"), BAD)
def test_a_bad_table_names_the_file_the_table_and_the_way_out(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "lichen.toml"
    file.write_text(text)

    with pytest.raises(InputError, match=f"(?s){said}") as raised:
        load(tmp_path, environ={})

    assert str(file) in str(raised.value)
    assert "sk-secret" not in str(raised.value)


def test_tables_are_read_with_their_units(tmp_path: Path) -> None:
    (tmp_path / "lichen.toml").write_text(
        """
[gate]
dry_run = true

[[gate.rule]]
name = "double-click"
repeat = "2s"

[[gate.budget]]
tokens = "2M"
per = "month"
zone = "Europe/Stockholm"

[[gate.budget]]
energy = "1.5kWh"
each = "all"

[[gate.cascade]]
model = "gpt-4o"
small = "gpt-4o-mini"
error = "2%"
"""
    )

    gate = load(tmp_path, environ={}).gate

    assert gate.dry_run
    assert gate.rule[0].repeat == 2
    assert [(b.name, b.of, b.limit, b.unit) for b in gate.budget] == [
        ("budget-1", "tokens", 2e6, "tokens"),
        ("budget-2", "energy", 1500, "Wh"),
    ]
    assert (gate.cascade[0].error, gate.cascade[0].mode) == (0.02, "shadow")


def test_a_switch_may_come_from_the_environment() -> None:
    assert load(environ={"LICHEN_GATE_DRY_RUN": "true"}).gate.dry_run
