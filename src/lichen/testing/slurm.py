"""SlurmCluster: a real Slurm of one node for as long as the tests run, from the programs here.

munged with a key and socket of its own, slurmctld and slurmd in the foreground on free ports, all
files in a folder of its own; no systemd, no root: whoever runs the tests owns all of it. Processes
are tracked by group (proctrack/pgid), tasks bound to nothing (task/none), nothing is accounted.

Source: slurm.conf(5), munged(8).
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Self

from lichen.ledger.errors import LichenError

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
_PATIENCE_S = 40.0


def why_not() -> str:
    """Why no Slurm can be started here; empty where one can."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = [name for name in _PROGRAMS if shutil.which(name, path=path) is None]
    if not missing:
        return ""
    return f"{', '.join(missing)} not installed: apt-get install slurm-wlm munge"


class SlurmCluster:
    """A cluster to use in a `with`; `conf` is its configuration, for SLURM_CONF.

    Raises:
        LichenError: one of its programs ended; the message has what it said.
    """

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="lichen-slurm-"))
        self.conf = self.home / "slurm.conf"
        self._running: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        for name in ("state", "spool", "munge"):
            (self.home / name).mkdir(mode=0o755)
        self.home.chmod(0o755)
        key = self.home / "munge" / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        controller, node = _free_ports()
        user = pwd.getpwuid(os.geteuid()).pw_name
        ports = {"ctl": controller, "node": node}
        self.conf.write_text(_CONF.format(home=self.home, host=_host(), user=user, **ports))
        munge = self.home / "munge"
        self._run(
            "munged",
            "--foreground",
            "--force",
            f"--socket={munge}/socket",
            f"--key-file={key}",
            f"--pid-file={munge}/pid",
            f"--log-file={munge}/log",
            f"--seed-file={munge}/seed",
            "--num-threads=1",
        )
        self._until((munge / "socket").exists)
        self._run("slurmctld", "-D", "-i", "-f", str(self.conf))
        self._run("slurmd", "-D", "-f", str(self.conf), "-N", "node1")
        self._until(self._idle)

    def _run(self, program: str, *arguments: str) -> None:
        log = (self.home / f"{program}.out").open("wb")
        self._logs.append(log)
        path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        assert path is not None
        self._running.append(
            subprocess.Popen(  # noqa: S603 (Slurm's own programs)
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "SLURM_CONF": str(self.conf)},
                start_new_session=True,
            )
        )

    def _idle(self) -> bool:
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],  # noqa: S607 (found on the path, as a user's is)
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "SLURM_CONF": str(self.conf)},
        )
        return done.stdout.strip() == "idle"

    def _until(self, holds: object) -> None:
        assert callable(holds)
        end = time.monotonic() + _PATIENCE_S
        while not holds():
            ended = [one for one in self._running if one.poll() is not None]
            if ended or time.monotonic() > end:
                said = "\n".join(
                    path.read_text(errors="replace")[-1500:] for path in self.home.glob("*.out")
                )
                raise LichenError(f"Slurm did not come up: {said}")
            time.sleep(0.05)

    def _stop(self) -> None:
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for log in self._logs:
            log.close()
        shutil.rmtree(self.home, ignore_errors=True)


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


_CONF = """\
ClusterName=lichen
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctl}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={home}/munge/socket
CredType=cred/munge
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
KillWait=5
MinJobAge=300
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=clean Nodes=node1 Default=YES MaxTime=INFINITE State=UP
PartitionName=other Nodes=node1 MaxTime=INFINITE State=UP
"""
