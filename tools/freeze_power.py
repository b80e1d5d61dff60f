"""Freezes the power tables: watts per busy CPU by architecture, and thermal design powers.

Only figures are carried over. From SPECpower_ssj2008 results (wall watts of a whole server at
active idle and at full load) it makes, per micro-architecture and per hardware thread,

    busy_w = mean(full / threads)                 the work and its share of everything else
    low_w  = 5th percentile((full − idle) / threads)    only what the work added
    high_w = 95th percentile(full / cores)        the work has the core's other thread idle

and over all servers whose CPU is in the table of thermal design powers (TDP), the ratios of wall
power to TDP that `lichen.meter.power` quotes. It wants checkouts of two public repositories:

    python tools/freeze_power.py CCF_COEFFICIENTS CODECARBON [--retrieved 2026-11-23]

Sources: https://github.com/cloud-carbon-footprint/ccf-coefficients (Apache-2.0), data/, commit
b0032d9; https://github.com/mlco2/codecarbon (MIT), codecarbon/data/hardware/, commit b05965e.
"""

from __future__ import annotations

import argparse
import csv
import re
import statistics
from pathlib import Path

from lichen.meter.machine import plain_name

METER = Path(__file__).parents[1] / "src" / "lichen" / "meter"
SPEC = "SPECpower-2026-03-09.csv"
VM_SOURCE = f"SPECpower_ssj2008 by ccf-coefficients@b0032d9 data/{SPEC}"
X86 = "avx2"
SKX = f"{X86} avx512f"
CLX = f"{SKX} avx512_vnni"
ICX = f"{CLX} vaes"
SPR = f"{ICX} avx_vnni amx_tile"

# name, file of CPU names, vendor, CPUID family, CPUID models, features that tell generations apart.
# Sources: Linux arch/x86/include/asm/intel-family.h and arch/x86/kernel/cpu/amd.c; Arm Neoverse N1
# Technical Reference Manual, MIDR_EL1; features: Intel and AMD instruction set references.
ARCHITECTURES = (
    ("sandy-bridge", "intel-sandybridge", "GenuineIntel", 6, "42 45", ""),
    ("ivy-bridge", "intel-ivybridge", "GenuineIntel", 6, "58 62", ""),
    ("haswell", "intel-haswell", "GenuineIntel", 6, "60 63 69 70", X86),
    ("broadwell", "intel-broadwell", "GenuineIntel", 6, "61 71 79 86", X86),
    ("skylake-client", "intel-skylake-client", "GenuineIntel", 6, "78 94", X86),
    ("coffee-lake", "intel-coffeelake", "GenuineIntel", 6, "142 158", X86),
    ("skylake-server", "intel-skylake-server", "GenuineIntel", 6, "85", SKX),
    ("cascade-lake", "intel-cascadelake", "GenuineIntel", 6, "85", CLX),
    ("ice-lake", "intel-icelake", "GenuineIntel", 6, "106 108", ICX),
    ("sapphire-rapids", "intel-sapphirerapids", "GenuineIntel", 6, "143", SPR),
    ("emerald-rapids", "intel-emeraldrapids", "GenuineIntel", 6, "207", SPR),
    ("granite-rapids", "intel-graniterapids", "GenuineIntel", 6, "173 174", SPR),
    ("epyc-1", "amd-epyc-gen1", "AuthenticAMD", 23, "1", X86),
    ("epyc-2", "amd-epyc-gen2", "AuthenticAMD", 23, "49", X86),
    ("epyc-3", "amd-epyc-gen3", "AuthenticAMD", 25, "1", f"{X86} vaes"),
    ("epyc-4", "amd-epyc-gen4", "AuthenticAMD", 25, "17 160", ICX),
    ("epyc-5", "amd-epyc-gen5", "AuthenticAMD", 26, "2 17", f"{ICX} avx_vnni"),
    ("neoverse-n1", "amd-neoverse-n1", "ARM", 0x41, str(0xD0C), ""),
)
# Makes of CPU that machines in use have; servers, desktops and laptops.
COMMON = ("core ", "epyc ", "ryzen ", "threadripper ", "xeon ")
SINCE = 2012


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie, interpolated."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def server(row: dict[str, str]) -> tuple[float, float, float, float]:
    """Idle watts, full watts, hardware threads, cores of one benchmarked server."""
    return (
        float(row["avg. watts @ active idle"]),
        float(row["avg. watts @ 100%"]),
        float(row["Total Threads"]),
        float(row["Chips"]) * float(row["# Cores Per Chip"]),
    )


def vm_rows(data: Path, retrieved: str) -> list[dict[str, object]]:
    """One row an architecture."""
    results = list(csv.DictReader((data / SPEC).open(encoding="utf-8")))
    rows: list[dict[str, object]] = []
    for name, file, vendor, family, models, features in ARCHITECTURES:
        cpus = [line.strip() for line in (data / f"{file}.csv").open(encoding="utf-8")]
        endings = "|".join(rf"\b{re.escape(cpu)}$" for cpu in cpus if cpu)
        pattern = re.compile(endings, re.IGNORECASE)
        servers = [server(row) for row in results if pattern.search(row["CPU Description"])]
        idle = statistics.mean(i / t for i, _, t, _ in servers)
        busy = statistics.mean(f / t for _, f, t, _ in servers)
        rows.append(
            {
                "architecture": name,
                "vendor": vendor,
                "family": family,
                "models": models,
                "features": features,
                "idle_w": f"{idle:.3f}",
                "busy_w": f"{busy:.3f}",
                "low_w": f"{percentile([(f - i) / t for i, f, t, _ in servers], 0.05):.3f}",
                "high_w": f"{percentile([f / c for _, f, _, c in servers], 0.95):.3f}",
                "servers": len(servers),
                "source": VM_SOURCE,
                "retrieved": retrieved,
            }
        )
    return rows


def tdp_rows(folder: Path, retrieved: str) -> list[dict[str, object]]:
    """One row a CPU, by its plain name."""
    found: dict[str, dict[str, object]] = {}
    files = (
        ("intel_cpu_ark_dataset.csv", "cpu_name", "total_cores", "tdp", "launch_date"),
        ("amd_cpu_desktop_dataset.csv", "Name", "# of CPU Cores", "Default TDP", "Launch Date"),
        ("amd_cpu_server_dataset.csv", "Name", "# of CPU Cores", "Default TDP", "Launch Date"),
    )
    for file, name, cores, tdp, launched in files:
        for row in csv.DictReader((folder / file).open(encoding="utf-8-sig")):
            key = plain_name(row[name])
            watts = re.search(r"([\d.]+)\s*W?$", row[tdp].strip())
            year = _year(row[launched])
            common = key.startswith(COMMON) and "phi" not in key and year >= SINCE
            if watts is None or not row[cores].strip().isdigit() or not common:
                continue
            maker = "ark.intel.com" if file.startswith("intel") else "amd.com"
            found[key] = {
                "cpu": key,
                "cores": int(row[cores]),
                "tdp_w": f"{float(watts[1]):g}",
                "source": f"{maker} by codecarbon@b05965e",
                "retrieved": retrieved,
            }
    return [found[key] for key in sorted(found)]


def _year(launched: str) -> int:
    """The year of a launch date such as Q2'25 or 10/10/2024; this century; unknown counts."""
    end = re.search(r"(\d{2})\s*$", launched.strip())
    return 2000 + int(end[1]) if end else 9999


def ratios(data: Path, tdps: list[dict[str, object]]) -> str:
    """What wall power is of TDP, over all servers whose CPU is known."""
    watts = {str(row["cpu"]): float(str(row["tdp_w"])) for row in tdps}
    full: list[float] = []
    added: list[float] = []
    for row in csv.DictReader((data / SPEC).open(encoding="utf-8")):
        name = plain_name(row["CPU Description"])
        tdp = watts.get(name) or watts.get(f"xeon {name}")
        if tdp is not None:
            idle, busy, _, _ = server(row)
            full.append(busy / tdp / float(row["Chips"]))
            added.append((busy - idle) / tdp / float(row["Chips"]))
    return (
        f"{len(full)} servers: full load / TDP median {statistics.median(full):.3f}, "
        f"95 % {percentile(full, 0.95):.3f}; full − idle / TDP 5 % {percentile(added, 0.05):.3f}"
    )


def write(path: Path, rows: list[dict[str, object]]) -> None:
    """The rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> None:
    """Write both tables and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("ccf", type=Path, help="checkout of ccf-coefficients")
    parser.add_argument("codecarbon", type=Path, help="checkout of codecarbon")
    parser.add_argument("--retrieved", default="2026-11-23")
    args = parser.parse_args()
    builder = args.codecarbon / "codecarbon" / "data" / "hardware" / "cpu_dataset_builder"
    tdps = tdp_rows(builder, args.retrieved)
    write(METER / "power_vm.csv", vm_rows(args.ccf / "data", args.retrieved))
    write(METER / "power_tdp.csv", tdps)
    print(f"{len(tdps)} CPUs; {ratios(args.ccf / 'data', tdps)}")


if __name__ == "__main__":
    main()
