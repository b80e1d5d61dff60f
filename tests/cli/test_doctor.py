"""`lichen doctor`: what is found here, what is wrong, and the way out."""

from __future__ import annotations

import json
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from lichen.calls.learning import Learning
from lichen.cli.screen import clean
from lichen.grid.neso import Neso
from lichen.grid.shelf import Kept, Shelf
from lichen.grid.web import Web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture
def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stranger(BaseHTTPRequestHandler):
    """Some other program's answers."""

    def do_GET(self) -> None:
        """Say something that is not lichen's."""
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def strangers_port() -> Iterator[int]:
    """A port another program listens on."""
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def checks(run: Run, *arguments: object) -> dict[str, dict[str, Any]]:
    result = run("doctor", "--json", *arguments)
    return {check["what"]: check for check in json.loads(result.stdout)["checks"]}


def test_a_healthy_place_is_fine(run: Run, ledger: Path, free_port: int) -> None:
    result = run("doctor", "--ledger", ledger, "--port", free_port)

    assert result.exit_code == 0
    assert "Nothing is broken." in result.stdout
    assert "8 entries" in " ".join(result.stdout.split())


def test_each_meter_says_how_it_knows(run: Run, ledger: Path, free_port: int) -> None:
    found = checks(run, "--ledger", ledger, "--port", free_port)

    assert found["tokens meter"]["state"] == "modelled"
    assert "ecologits" in found["tokens meter"]["says"]
    assert found["process meter"]["state"] == "modelled"
    assert " W (" in found["process meter"]["says"]


def test_a_meter_that_is_not_here_says_why_and_what_to_do(
    run: Run, ledger: Path, free_port: int
) -> None:
    found = checks(run, "--ledger", ledger, "--port", free_port)

    assert {"tokens meter", "process meter", "nvml meter", "rapl meter"} <= set(found)
    for meter in ("nvml meter", "rapl meter"):
        assert found[meter]["says"]
        assert found[meter]["state"] != "unavailable" or found[meter]["mend"]


def test_the_meters_that_windows_read_say_what_they_cover(
    run: Run, ledger: Path, free_port: int
) -> None:
    found = checks(run, "--ledger", ledger, "--port", free_port)

    told = [row["says"] for name, row in found.items() if name.endswith(" meter")]
    assert any("windows read cpu" in says for says in told)


def test_a_zone_nobody_set_is_assumed_with_the_way_to_set_it(
    run: Run, ledger: Path, free_port: int
) -> None:
    found = checks(run, "--ledger", ledger, "--port", free_port)["grid zone"]

    assert found["state"] == "assumed"
    assert "WORLD" in found["says"]
    assert "LICHEN_ZONE" in found["mend"]


def test_a_zone_that_is_set_shows_its_intensity(run: Run, ledger: Path, free_port: int) -> None:
    found = checks(run, "--ledger", ledger, "--port", free_port, "--zone", "SE-SE3")["grid zone"]

    assert found["state"] == "modelled"
    assert "gCO₂e/kWh" in found["says"]


def test_a_zone_that_does_not_exist_is_broken_and_the_rest_still_looked_at(
    run: Run, ledger: Path, free_port: int
) -> None:
    result = run("doctor", "--ledger", ledger, "--port", free_port, "--zone", "SE-SE33")

    assert result.exit_code == 1
    assert "did you mean SE-SE3" in " ".join(result.stdout.split())
    assert "service" in result.stdout


def test_a_file_that_is_no_ledger_is_broken(run: Run, tmp_path: Path, free_port: int) -> None:
    (tmp_path / "book.db").write_bytes(b"not a database, but long enough to look like one" * 50)

    result = run("doctor", "--ledger", "book.db", "--port", free_port)

    assert result.exit_code == 1
    assert "1 broken" in result.stdout


def test_a_ledger_that_is_not_there_yet_is_fine_and_is_not_made(
    run: Run, tmp_path: Path, free_port: int
) -> None:
    found = checks(run, "--ledger", "book.db", "--port", free_port)

    assert found["ledger"]["state"] == "ok"
    assert found["learnt state"]["says"] == "what steps learn is kept in this folder"
    assert not (tmp_path / "book.db").exists()


def test_a_process_that_learns_here_is_named(run: Run, tmp_path: Path, free_port: int) -> None:
    learning = Learning(tmp_path / "lichen.db.learning", print)
    assert learning.alone()

    busy = checks(run, "--port", free_port)["learnt state"]
    learning.release()
    free = checks(run, "--port", free_port)["learnt state"]

    assert f"by process {os.getpid()}" in busy["says"]
    assert "LICHEN_STATE" in busy["mend"]
    assert "process" not in free["says"]


def test_without_a_model_and_an_upstream_nothing_could_answer(
    run: Run, ledger: Path, free_port: int
) -> None:
    arguments = ("--ledger", ledger, "--port", free_port, "--gguf", "nowhere.gguf")

    found = checks(run, *arguments)

    assert found["upstream"]["state"] == "broken"
    assert "--upstream" in found["upstream"]["mend"]


def test_a_missing_model_is_no_matter_where_an_upstream_is_set(
    run: Run, ledger: Path, free_port: int, strangers_port: int
) -> None:
    upstream = ("--upstream", f"http://me:secret@127.0.0.1:{strangers_port}/v1")
    arguments = ("--ledger", ledger, "--port", free_port, "--gguf", "nowhere.gguf", *upstream)

    result = run("doctor", *arguments)

    assert result.exit_code == 0
    assert "the key not tried" in " ".join(result.stdout.split())
    assert "secret" not in result.stdout


def test_an_upstream_that_cannot_be_reached_is_not_called_ok(
    run: Run, ledger: Path, free_port: int
) -> None:
    upstream = ("--upstream", f"http://127.0.0.1:{free_port}/v1")

    found = checks(run, "--ledger", ledger, "--port", free_port, *upstream)["upstream"]

    assert found["state"] == "broken"
    assert "cannot be reached" in found["says"]
    assert found["mend"]


def test_an_upstream_is_reached_without_being_asked_anything(
    run: Run, ledger: Path, free_port: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        upstream.settimeout(5)
        url = f"http://127.0.0.1:{upstream.getsockname()[1]}/v1"

        found = checks(run, "--ledger", ledger, "--port", free_port, "--upstream", url)["upstream"]

        visitor, _ = upstream.accept()
        with visitor:
            visitor.settimeout(5)
            try:
                sent = visitor.recv(1)
            except ConnectionResetError:
                sent = b""
    assert found["state"] == "ok"
    assert sent == b""


def test_a_trace_that_ended_is_said_to_have(
    run: Run, ledger: Path, tmp_path: Path, free_port: int
) -> None:
    (tmp_path / "se.csv").write_text(
        "time,gco2_per_kwh\n2020-01-01T00:00Z,20\n2020-01-01T01:00Z,21\n"
    )
    arguments = ("--ledger", ledger, "--port", free_port, "--zone", "SE-SE3", "--trace", "se.csv")

    found = checks(run, *arguments)["grid trace"]

    assert found["state"] == "assumed"
    assert "2020-01-01 02:00, which is not now" in found["says"]


def test_a_trace_below_what_a_grid_has_is_a_gap_and_not_fine(
    run: Run, ledger: Path, tmp_path: Path, free_port: int
) -> None:
    now = datetime.now(UTC).replace(minute=0)
    lines = [f"{(now + timedelta(hours=n)).isoformat()},0.425" for n in range(-1, 3)]
    (tmp_path / "de.csv").write_text("\n".join(("time,gco2_per_kwh", *lines)))
    arguments = ("--ledger", ledger, "--port", free_port, "--zone", "DE", "--trace", "de.csv")

    found = checks(run, *arguments)["grid trace"]

    assert found["state"] == "gap"
    assert "at most 0.425 gCO₂e/kWh" in found["says"]


def test_a_port_of_another_program_is_broken(run: Run, ledger: Path, strangers_port: int) -> None:
    found = checks(run, "--ledger", ledger, "--port", strangers_port)["service"]

    assert found["state"] == "broken"
    assert "--port" in found["mend"]


def test_a_service_that_does_not_run_says_how_to_start_it(
    run: Run, ledger: Path, free_port: int
) -> None:
    found = checks(run, "--ledger", ledger, "--port", free_port)["service"]

    assert (found["state"], found["mend"]) == ("unavailable", "lichen serve")


def test_a_broken_trace_is_said_where_it_keeps_plans_from_being_made(
    run: Run, ledger: Path, free_port: int, tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text("time,gco2_per_kwh\nyesterday\n")

    found = checks(
        run, "--ledger", ledger, "--port", free_port, "--zone", "DE", "--trace", "bad.csv"
    )

    assert found["forecast"]["state"] == "broken"
    assert "bad.csv line 2" in found["forecast"]["says"]


def test_each_live_grid_says_how_to_configure_it(run: Run, ledger: Path, free_port: int) -> None:
    found = checks(run, "--ledger", ledger, "--port", free_port)

    assert found["neso grid"]["state"] == "unavailable"
    assert "LICHEN_GRID" in found["neso grid"]["mend"]
    assert "WATTTIME_USERNAME and WATTTIME_PASSWORD" in found["watttime grid"]["mend"]


def test_a_configured_grid_without_its_credential_says_which(
    run: Run, ledger: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LICHEN_GRID", "neso,entsoe")
    monkeypatch.setenv("LICHEN_GRID_CACHE", "memory:")

    found = checks(run, "--ledger", ledger, "--port", free_port)

    assert found["neso grid"]["state"] == "ok"
    assert "never asked yet" in found["neso grid"]["says"]
    assert found["entsoe grid"]["state"] == "unavailable"
    assert "ENTSOE_TOKEN" in found["entsoe grid"]["mend"]


def test_a_grid_says_when_it_answered_last_and_what_was_wrong_since(
    run: Run, ledger: Path, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LICHEN_GRID", "neso")
    monkeypatch.setenv("LICHEN_GRID_CACHE", str(tmp_path / "grid"))
    now, shelf = datetime.now(UTC), Shelf(tmp_path / "grid")
    web = Web("neso", Neso.url, shelf=shelf)
    shelf.put(web.key("last"), Kept(now - timedelta(hours=2), None, "average intensity of GB"))

    before = checks(run, "--ledger", ledger, "--port", free_port)["neso grid"]
    shelf.put(web.key("trouble"), Kept(now, None, "it answered 403"))
    after = checks(run, "--ledger", ledger, "--port", free_port)["neso grid"]

    assert before["state"] == "ok"
    assert "average intensity of GB" in before["says"]
    assert after["state"] == "unavailable"
    assert "answered 403" in after["says"]


def test_state_that_is_lost_at_a_stop_is_told_with_the_way_out(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> dict[str, str]:
        checks = json.loads(run("doctor", "--json", "--port", 1).stdout)["checks"]
        [row] = [check for check in checks if check["what"] == "learnt state"]
        return dict(row)

    (tmp_path / "lichen.toml").write_text('[[route]]\ncompress = "lossless"\n')
    monkeypatch.setenv("LICHEN_LEDGER", "postgresql://lichen@127.0.0.1:1/lichen")
    lost = told()
    monkeypatch.setenv("LICHEN_STATE", str(tmp_path / "state"))
    kept = told()
    monkeypatch.delenv("LICHEN_LEDGER")
    monkeypatch.delenv("LICHEN_STATE")
    beside = told()

    assert lost["says"] == "trials of shorter prompts: in memory, and lost at each stop"
    assert "LICHEN_STATE" in lost["mend"]
    assert (kept["state"], beside["state"]) == ("ok", "ok")
    assert str(tmp_path / "state") in kept["says"]


def test_what_came_in_several_lines_stands_in_one_and_moves_no_cursor() -> None:
    assert clean("error: no host\nfatal:\tnone\x1b[2J") == "error: no host fatal: none\ufffd[2J"


def test_what_a_program_says_in_several_lines_is_told_in_plain_characters(
    run: Run, ledger: Path, free_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("scontrol", "sbatch", "squeue", "sacct", "scancel", "sinfo"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'error: no host' >&2\necho 'fatal: none' >&2\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    shown = run("doctor", "--ledger", ledger, "--port", free_port).stdout

    assert "scontrol ping: none" in " ".join(shown.split())
    assert "\N{REPLACEMENT CHARACTER}" not in shown
