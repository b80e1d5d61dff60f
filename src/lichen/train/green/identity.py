"""Identity: which process a number means, also after its number was given to another.

    identity = boot id ‖ pid ‖ start time since boot [clock ticks]

Source: proc(5), /proc/PID/stat field 22 (starttime) and field 3 (state);
/proc/sys/kernel/random/boot_id; pidfd_open(2), which holds on to the one process it was opened on.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The id of this boot."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


def _stat(pid: int) -> list[str] | None:
    """Fields 3 and on of /proc/PID/stat; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is a name in brackets that may hold brackets and spaces itself.
    return text.rpartition(")")[2].split()


@dataclass(frozen=True, slots=True)
class Identity:
    """One process, for ever."""

    boot: str
    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The process that has this number now."""
        fields = _stat(pid)
        return None if fields is None else cls(boot_id(), pid, int(fields[19]))

    @classmethod
    def own(cls) -> Identity:
        """This process."""
        found = cls.of(os.getpid())
        assert found is not None
        return found

    @classmethod
    def parse(cls, text: str) -> Identity | None:
        """The identity that `str` wrote; None if it is none."""
        try:
            said = json.loads(text)
            return cls(str(said["boot"]), int(said["pid"]), int(said["start"]))
        except (ValueError, KeyError, TypeError):
            return None

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @property
    def state(self) -> str:
        """Its state letter as proc(5) has it; empty if it is gone, or dead and not yet reaped."""
        if self.boot != boot_id():
            return ""
        fields = _stat(self.pid)
        if fields is None or int(fields[19]) != self.start or fields[0] in "ZXx":
            return ""
        return fields[0]

    @property
    def alive(self) -> bool:
        """Whether it runs, or is stopped."""
        return bool(self.state)

    def send(self, what: signal.Signals) -> bool:
        """Send it a signal, and no other process; False if it is gone."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            # The handle holds whoever has the number now: that it is the same one is seen after.
            if not self.alive:
                return False
            signal.pidfd_send_signal(handle, what)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True

    def send_group(self, what: signal.Signals) -> bool:
        """Send a signal to the process group it leads; False if it is gone."""
        if not self.alive:
            return False
        try:
            os.killpg(self.pid, what)
        except ProcessLookupError:
            return False
        return True
