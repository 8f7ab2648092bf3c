"""`tests/bench/check.sh`: compares `penstock check --accepted OUT.csv --rejects OUT` with DuckDB on the same rows.

Both read ten typed columns, separate the bad rows and write the good ones as CSV. Penstock also applies the contract's
rules, detects repeated keys and writes each reject with its reasons. DuckDB uses one thread. Each run is a separate
process and the two alternate. The result is the median ratio of CPU time (user and system), which is reliable on a busy
machine too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMIT_RATIO = 1.0
# The exit status of `penstock check` when some rows are rejected.
SOME_REJECTED = 1


@dataclass(frozen=True)
class Run:
    """One run: CPU seconds, peak resident memory, and the numbers of written and rejected rows."""

    cpu_s: float
    peak_mib: float
    written: int
    rejected: int


def main() -> int:
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    csv = generate(options)
    contract = options.work / "check.odcs.yaml"
    contract.write_bytes(subprocess.run([options.bench, "contract"], stdout=subprocess.PIPE, check=True).stdout)
    print(f"penstock check: {options.rows:,} rows, {csv.stat().st_size / 1e6:.0f} MB of CSV, in pairs with DuckDB\n")
    pairs = []
    for turn in range(options.pairs):
        # The order alternates too.
        if turn % 2:
            theirs = load_by_duckdb(options, csv)
            ours = check(options, contract, csv)
        else:
            ours = check(options, contract, csv)
            theirs = load_by_duckdb(options, csv)
        pairs.append((ours, theirs))
    return report(options, pairs)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--penstock", type=Path, default=ROOT / "target/release/penstock")
    parser.add_argument("--bench", type=Path, default=ROOT / "target/release/examples/file_bench")
    parser.add_argument("--rows", type=int, default=1_200_000)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--work", type=Path, default=ROOT / ".penstock/bench")
    return parser.parse_args()


def generate(options: argparse.Namespace) -> Path:
    file: Path = options.work / f"engine-{options.rows}.csv"
    if not file.exists():
        partial = file.with_suffix(".partial")
        subprocess.run([options.bench, "generate", "csv", str(options.rows), partial], check=True)
        partial.rename(file)
    return file


def check(options: argparse.Namespace, contract: Path, csv: Path) -> Run:
    accepted, rejects = options.work / "check-accepted.csv", options.work / "check-rejects.ndjson"
    command = [options.penstock, "check", csv, "--contract", contract, "--accepted", accepted, "--rejects", rejects]
    output, cpu_s, peak_mib = measure([*command, "--json"], SOME_REJECTED)
    [totals] = json.loads(output)["files"]
    # No value of these rows has a line end, so each line is a row.
    written, rejected = count_lines(accepted) - 1, count_lines(rejects)
    if written != totals["accepted"] - totals["deduplicated"] or rejected != totals["rejected"]:
        raise SystemExit(f"penstock wrote {written} rows and {rejected} rejects, and reports {totals}")
    if totals["rows_read"] != options.rows or totals["accepted"] + rejected != options.rows:
        raise SystemExit(f"penstock reports {totals}, which do not add up to {options.rows} rows")
    return Run(cpu_s, peak_mib, written, rejected)


def load_by_duckdb(options: argparse.Namespace, csv: Path) -> Run:
    command = [sys.executable, HERE / "duckdb_load.py", csv, options.work / "check-duckdb.csv"]
    output, cpu_s, peak_mib = measure(command, 0)
    written, rejected = (int(number) for number in output.split())
    return Run(cpu_s, peak_mib, written, rejected)


def measure(command: list[str | Path], status: int) -> tuple[bytes, float, float]:
    """Runs a process that must end with this status. Returns its output, CPU seconds and peak MiB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = process.stdout.read()
    _, waited, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(waited)
    if process.returncode != status:
        raise SystemExit(f"{' '.join(map(str, command))} ended with status {process.returncode}")
    # For a small process, ru_maxrss is Python's own memory at the fork. The measured processes use more.
    return output, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def count_lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for _ in lines)


def report(options: argparse.Namespace, pairs: list[tuple[Run, Run]]) -> int:
    ratio = statistics.median(ours.cpu_s / theirs.cpu_s for ours, theirs in pairs)
    for name, side in (("penstock check", 0), ("DuckDB, typed", 1)):
        runs = [pair[side] for pair in pairs]
        cpu_s, peak_mib = statistics.median(run.cpu_s for run in runs), max(run.peak_mib for run in runs)
        print(
            f"{name:16} {cpu_s:6.2f} CPU s, {cpu_s / options.rows * 1e9:6.0f} ns a row, peak {peak_mib:5.0f} MiB,"
            f" {runs[0].written:,} rows written, {runs[0].rejected:,} rejected"
        )
    is_met = ratio < LIMIT_RATIO
    verdict = "met" if is_met else "MISSED"
    print(f"CPU ratio (median of {len(pairs)} pairs): {ratio:.2f}, limit < {LIMIT_RATIO:.0f}: {verdict}", flush=True)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
