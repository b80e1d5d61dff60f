"""What this machine is: which CPU, how many logical ones, virtual or not.

Read from Linux's `/proc/cpuinfo`, `/proc/stat` and `/sys`. A hypervisor may hide or change any of
it, so nothing here is more than what the machine says of itself; the power tables cross-check it
(lichen.meter.power).

Source: Linux, Documentation/filesystems/proc.rst; arch/x86/kernel/cpu/proc.c;
arch/arm64/kernel/cpuinfo.c; Documentation/ABI/stable/sysfs-hypervisor-xen and DMI in
Documentation/ABI/testing/sysfs-firmware-dmi-entries.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
SYS = Path("/sys")

# What the DMI tables of virtual machines name as their maker or product, in lower case.
# Source: systemd, src/basic/virt.c, table of DMI vendors.
_VIRTUAL_MAKERS = (
    "amazon ec2",
    "bochs",
    "google compute engine",
    "innotek",
    "kvm",
    "openstack",
    "parallels",
    "qemu",
    "virtual machine",
    "virtualbox",
    "vmware",
    "xen",
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as it describes itself.

    Attributes:
        name: the CPU's model name, empty if it hides that.
        vendor: `GenuineIntel`, `AuthenticAMD`, `ARM`, or whatever the CPU says.
        family: CPUID family; on ARM the implementer's number.
        model: CPUID model; on ARM the part's number.
        flags: the instruction sets and features it shows.
        virtual: whether a hypervisor is under it.
        logical: logical CPUs this process may run on.
        siblings: logical CPUs of one CPU package, 0 if unknown.
    """

    name: str
    vendor: str
    family: int
    model: int
    flags: frozenset[str]
    virtual: bool
    logical: int
    siblings: int

    @property
    def plain_name(self) -> str:
        """The model name as the power tables spell it."""
        return plain_name(self.name)


def machine(proc: Path = PROC, sys: Path = SYS) -> Machine:
    """This machine; unknown fields are empty or 0."""
    facts = _first_cpu(_read(proc / "cpuinfo"))
    flags = frozenset(facts.get("flags", facts.get("Features", "")).split())
    arm = "CPU implementer" in facts
    return Machine(
        name=facts.get("model name", ""),
        vendor="ARM" if arm else facts.get("vendor_id", ""),
        family=_number(facts.get("CPU implementer" if arm else "cpu family", "")),
        model=_number(facts.get("CPU part" if arm else "model", "")),
        flags=flags,
        virtual="hypervisor" in flags or _hypervisor_named(sys),
        logical=len(os.sched_getaffinity(0)),
        siblings=_number(facts.get("siblings", "")),
    )


def plain_name(name: str) -> str:
    """A CPU's model name without its maker, marks, clock and filler words, in lower case."""
    bare = re.sub(r"\((R|TM|C)\)|[®™]", "", name, flags=re.IGNORECASE)
    bare = re.sub(r"\(.*?\)|@.*$|\b(with|w/) .*$|,.*$", "", bare)
    filler = r"\b(\d+(st|nd|rd|th) Gen|Genuine|Intel|AMD|CPU|Processors?|\S+-Core|APU)\b"
    return " ".join(re.sub(filler, "", bare, flags=re.IGNORECASE).casefold().split())


def _first_cpu(cpuinfo: str) -> dict[str, str]:
    """The fields of the first CPU listed."""
    facts: dict[str, str] = {}
    for line in cpuinfo.partition("\n\n")[0].splitlines():
        key, colon, value = line.partition(":")
        if colon:
            facts[key.strip()] = value.strip()
    return facts


def _hypervisor_named(sys: Path) -> bool:
    """Whether the firmware's tables or the kernel name a hypervisor."""
    dmi = sys / "class" / "dmi" / "id"
    made_by = f"{_read(dmi / 'sys_vendor')} {_read(dmi / 'product_name')}".casefold()
    return bool(_read(sys / "hypervisor" / "type")) or any(
        maker in made_by for maker in _VIRTUAL_MAKERS
    )


def _read(path: Path) -> str:
    """A file's text; empty if it is not there or not ours to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> int:
    """A decimal or 0x number; 0 if it is none."""
    try:
        return int(text, 0)
    except ValueError:
        return 0
