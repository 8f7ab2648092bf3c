"""`tests/bench/engine.sh`: compares the engine on one core with other programs on the same file.

Each step runs in a separate process. Two compared steps run one after the other in alternating order, and the figure is
the median ratio of CPU time (user and system), which is reliable on a busy machine too.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMIT_PEAK_MIB = 96
# As in template.yaml for ingest: freed blocks of at least this size are returned to the system.
AS_INGEST = {"MALLOC_MMAP_THRESHOLD_": "8388608"}
# The memory test repeats the rows of the small file up to this size.
LARGE_BYTES = 3_000_000_000


@dataclass(frozen=True)
class Run:
    """One run: its CPU seconds and the numbers that it printed."""

    cpu_s: float
    numbers: list[int]

    @property
    def peak_mib(self) -> float:
        return self.numbers[3] / 1024


@dataclass(frozen=True)
class Comparison:
    """A step, the step with which it is compared, and the limit of their ratio."""

    name: str
    label: str
    step: list[str]
    reference: list[str]
    is_met: Callable[[float], bool]
    limit: str


def main() -> int:
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    csv = generate(options, "csv")
    ndjson = generate(options, "ndjson")
    parquet = generate(options, "parquet")
    print(
        f"{options.rows:,} rows, {size_mb(csv)} MB of CSV, {size_mb(ndjson)} MB of NDJSON,"
        f" {size_mb(parquet)} MB of Parquet, {platform.machine()}\n"
    )
    met = [compare(options, comparison) for comparison in comparisons(options, csv, ndjson, parquet)]
    if is_selected(options, "memory"):
        met += memory(options, csv)
    return 0 if all(met) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, default=ROOT / "target/release/examples/file_bench")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="NAME", help="copy, whole, ndjson, parquet, duckdb, memory"
    )
    parser.add_argument("--work", type=Path, default=ROOT / ".penstock/bench")
    return parser.parse_args()


def is_selected(options: argparse.Namespace, name: str) -> bool:
    return not options.only or name in options.only


def generate(options: argparse.Namespace, kind: str) -> Path:
    file: Path = options.work / f"engine-{options.rows}.{kind}"
    if not file.exists():
        partial = file.with_suffix(".partial")
        subprocess.run([options.bench, "generate", kind, str(options.rows), partial], check=True)
        partial.rename(file)
    return file


def size_mb(file: Path) -> int:
    return round(file.stat().st_size / 1e6)


def comparisons(options: argparse.Namespace, csv: Path, ndjson: Path, parquet: Path) -> list[Comparison]:
    bench, out = str(options.bench), str(options.work / "engine.out")
    duckdb = [sys.executable, str(HERE / "duckdb_load.py"), str(csv), out]

    def at_most(limit: float) -> Callable[[float], bool]:
        return lambda ratio: ratio <= limit

    everything = [
        Comparison(
            "copy",
            "CSV → checked → COPY text / csv ByteRecord",
            [bench, "copy", str(csv)],
            [bench, "csv", str(csv)],
            at_most(3),
            "≤ 3",
        ),
        Comparison(
            "whole",
            "… and zstd-1 chunks, zstd-1 Parquet / csv ByteRecord",
            [bench, "whole", str(csv)],
            [bench, "csv", str(csv)],
            at_most(8),
            "≤ 8",
        ),
        Comparison(
            "ndjson",
            "NDJSON → checked → COPY text / serde_json struct",
            [bench, "ndjson", str(ndjson)],
            [bench, "serde_json", str(ndjson)],
            at_most(2),
            "≤ 2",
        ),
        Comparison(
            "parquet",
            "Parquet → checked → COPY text / parquet crate alone",
            [bench, "parquet", str(parquet)],
            [bench, "arrow", str(parquet)],
            at_most(2),
            "≤ 2",
        ),
        Comparison(
            "duckdb",
            "CSV → checked → file of COPY text / DuckDB, typed",
            [bench, "copy", str(csv), "--out", out],
            duckdb,
            lambda ratio: ratio < 1,
            "< 1",
        ),
    ]
    return [comparison for comparison in everything if is_selected(options, comparison.name)]


def compare(options: argparse.Namespace, comparison: Comparison) -> bool:
    pairs = []
    for turn in range(options.pairs):
        order = [comparison.step, comparison.reference]
        runs = [run(command) for command in (reversed(order) if turn % 2 else order)]
        pairs.append(tuple(reversed(runs)) if turn % 2 else tuple(runs))
    ratio = statistics.median(ours.cpu_s / theirs.cpu_s for ours, theirs in pairs)
    ours, theirs = (statistics.median(pair[side].cpu_s for pair in pairs) for side in (0, 1))
    nanos = 1e9 / options.rows
    detail = f"{ratio:.2f}  ({ours * nanos:.0f} / {theirs * nanos:.0f} ns a row)"
    step, reference = pairs[0]
    rows, accepted, rejected = step.numbers[:3]
    if rows != options.rows or accepted + rejected != rows or not rejected:
        raise SystemExit(f"{comparison.name}: {step.numbers} do not add up to {options.rows} rows with rejects")
    is_met = comparison.is_met(ratio)
    report(comparison.label, detail, comparison.limit, is_met)
    if comparison.name == "duckdb":
        others = f"{reference.numbers[0]:,} + {reference.numbers[1]:,}"
        print(f"{'':56} wrote and rejected: {accepted:,} + {rejected:,} / {others}")
    return is_met


def memory(options: argparse.Namespace, csv: Path) -> list[bool]:
    """Measures the peak memory with everything stored: for the rows once, repeated, and from archives."""
    times = max(2, round(LARGE_BYTES / csv.stat().st_size))
    met = []
    for count in (1, times):
        peak = run([str(options.bench), "whole", str(csv), "--times", str(count)], AS_INGEST).peak_mib
        met.append(peak <= LIMIT_PEAK_MIB)
        label = f"peak MiB, everything stored, {size_mb(csv) * count:,} MB of CSV"
        report(label, f"{peak:.0f}", f"≤ {LIMIT_PEAK_MIB}", met[-1])
    for window_mib, (name, file) in archives(options.work, csv).items():
        peak = run([str(options.bench), "whole", str(file)], AS_INGEST).peak_mib
        # The sender's compressor chooses the window, which the decompressor must keep in memory.
        limit = LIMIT_PEAK_MIB + window_mib
        met.append(peak <= limit)
        label = f"peak MiB, everything stored, {name}, window of {window_mib} MiB"
        report(label, f"{peak:.0f}", f"≤ {limit}", met[-1])
    return met


def archives(work: Path, csv: Path) -> dict[int, tuple[str, Path]]:
    """Returns the file compressed with the largest accepted windows, by window in MiB, if the tools are installed."""
    commands = {
        64: ["xz", "-k", "-c", "--lzma2=preset=0,dict=64MiB"],
        32: ["zstd", "-q", "-c", "-1", "--long=25"],
    }
    files = {}
    for window_mib, command in commands.items():
        file = work / f"{csv.name}.{command[0]}"
        try:
            if not file.exists():
                partial = file.with_suffix(".partial")
                with partial.open("wb") as out:
                    subprocess.run([*command, str(csv)], stdout=out, check=True)
                partial.rename(file)
            files[window_mib] = (command[0], file)
        except FileNotFoundError:
            print(f"{command[0]} is not installed and was not measured")
    return files


def run(command: list[str], variables: dict[str, str] | None = None) -> Run:
    environment = {**os.environ, **(variables or {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {process.returncode}")
    return Run(usage.ru_utime + usage.ru_stime, [int(number) for number in output.split()])


def report(label: str, value: str, limit: str, is_met: bool) -> None:
    print(f"{label:56} {value:32} {limit:5} {'met' if is_met else 'MISSED'}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
