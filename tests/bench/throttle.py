"""`make bench-throttle`: what a load costs the other users of the database, without and with the adaptive throttle.

pgbench runs against the server that the writers load into: without writers, while they load as fast as they can, and
while their throttle is adaptive. Prints the latencies of pgbench and the rate of the load, and writes them as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sources
from stack import Stack

ROOT = Path(__file__).resolve().parents[2]
# One phase is measured with each configuration of the throttle.
CONFIGURATIONS = {"unthrottled": "fixed", "throttled": "adaptive"}
QUEUED_S = 600.0


@dataclass(frozen=True)
class Phase:
    """One run of pgbench: its latencies in milliseconds, its transactions and the loaded rows per second."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    transactions_per_s: float
    rows_per_s: float


def main() -> int:
    options = arguments()
    if options.pgbench is None:
        raise SystemExit("pgbench was not found: install PostgreSQL's client programs (Debian: postgresql)")
    options.work.mkdir(parents=True, exist_ok=True)
    figures: dict[str, list[Phase]] = {"off": [], **{name: [] for name in CONFIGURATIONS}}
    for turn in range(options.rounds):
        for name, throttle in CONFIGURATIONS.items():
            parameters = {
                "Throttle": throttle,
                "BusySessions": str(options.busy_sessions),
                "MinRowsPerSecond": str(options.min_rows_per_second),
            }
            flags = [word for pair in parameters.items() for word in ("--parameter", "=".join(pair))]
            with Stack(options.functions / "penstock", ROOT, options.work / "state", *flags) as stack:
                prepare(stack, options)
                figures["off"].append(pgbench(stack, options))
                queue_rows(stack, options, turn)
                stack.control("mappings/writer/resume")
                figures[name].append(pgbench(stack, options))
                show(turn, name, figures["off"][-1], figures[name][-1], stack)
    medians = {name: median(phases) for name, phases in figures.items()}
    result = {name: [asdict(phase) for phase in phases] for name, phases in figures.items()}
    (options.work / "throttle.json").write_text(json.dumps(result, indent=2))
    report(medians)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--functions", type=Path, default=ROOT / "target/release", help="folder of the binaries")
    parser.add_argument("--work", type=Path, default=ROOT / ".penstock/bench-throttle")
    parser.add_argument("--pgbench", default=shutil.which("pgbench"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60, help="length of a phase")
    parser.add_argument("--warm-up", type=int, default=15, help="seconds of a phase that are not measured")
    parser.add_argument("--rate", type=int, default=100, help="transactions per second that pgbench starts")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--scale", type=int, default=10, help="pgbench's scale factor, 100,000 accounts each")
    parser.add_argument("--rows", type=int, default=8_000_000, help="rows that wait for the writers in a phase")
    parser.add_argument("--busy-sessions", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--min-rows-per-second", type=int, default=2_000)
    return parser.parse_args()


def prepare(stack: Stack, options: argparse.Namespace) -> None:
    """Creates pgbench's tables and the target table."""
    stack.publish(ROOT / "tests/bench/bench.odcs.yaml")
    warm_up = sources.write_small(options.work / "warm-up.csv", rows=200, seed=1)
    stack.wait_loaded(stack.drop("bench", warm_up, "warm-up.csv").batch_id)
    initialise = [options.pgbench, "--initialize", "--quiet", "--scale", str(options.scale), stack.database_url]
    subprocess.run(initialise, check=True, capture_output=True)


def queue_rows(stack: Stack, options: argparse.Namespace, turn: int) -> None:
    """Lets ingest read files while the writers are paused, so that only the writers work while pgbench is measured."""
    stack.control("mappings/writer/pause")
    feed = options.work / f"rows-{options.rows}.csv"
    if not feed.exists():
        sources.write_large(feed, options.rows)
    stack.drop("bench", feed, f"rows-{turn}.csv")
    deadline = time.time() + QUEUED_S
    while time.time() < deadline:
        receipts = stack.shown()["receipts"].get("bench", [])
        if any(one["drop"]["key"].endswith(f"rows-{turn}.csv") and one["rows"]["accepted"] > 0 for one in receipts):
            return
        time.sleep(1)
    raise SystemExit(f"ingest has not read {feed} within {QUEUED_S:.0f} s")


def pgbench(stack: Stack, options: argparse.Namespace) -> Phase:
    """Runs pgbench for a phase. Latencies count from the time at which a transaction was to start."""
    started_at = time.time()
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--client", options.clients, "--jobs", 2, "--time", options.seconds, "--rate", options.rate]
        log = ["--log", f"--log-prefix={folder}/log", "--no-vacuum"]
        command = [options.pgbench, *map(str, arguments), *log, stack.database_url]
        subprocess.run(command, check=True, capture_output=True)
        lines = [line.split() for file in Path(folder).iterdir() for line in file.read_text().splitlines()]
    begin, end = started_at + options.warm_up, started_at + options.seconds
    # Client, number, latency in µs, script, end in seconds and µs, lag.
    measured = [int(line[2]) / 1000 for line in lines if begin <= int(line[4]) + int(line[5]) / 1e6 < end]
    if len(measured) < 100:
        raise SystemExit(f"pgbench executed only {len(measured)} transactions: lower --rate or raise --seconds")
    cuts = statistics.quantiles(measured, n=100, method="inclusive")
    with stack.connect() as connection:
        within = "applied_at BETWEEN to_timestamp(%s) AND to_timestamp(%s)"
        query = f"SELECT coalesce(sum(rows), 0) FROM penstock.chunk WHERE {within}"
        row = connection.execute(query, (begin, end)).fetchone()
        applied = connection.execute("SELECT coalesce(sum(rows), 0) FROM penstock.chunk").fetchone()
    assert row is not None
    assert applied is not None
    if applied[0] >= options.rows:
        raise SystemExit(f"the {options.rows:,} rows were loaded before the end of a phase: raise --rows")
    seconds = end - begin
    return Phase(cuts[49], cuts[94], cuts[98], len(measured) / seconds, int(row[0]) / seconds)


def show(turn: int, name: str, off: Phase, loading: Phase, stack: Stack) -> None:
    writers = [(one["budget_rows_per_second"], one["congestion"]) for one in stack.shown()["writers"]]
    print(
        f"round {turn + 1}: off p95 {off.p95_ms:.1f} ms · {name} p95 {loading.p95_ms:.1f} ms,"
        f" {loading.rows_per_s:,.0f} rows/s, writers {writers}",
        flush=True,
    )


def median(phases: list[Phase]) -> Phase:
    columns = zip(*(asdict(phase).values() for phase in phases))
    return Phase(*(statistics.median(column) for column in columns))


def report(medians: dict[str, Phase]) -> None:
    print(f"\n{'writers':14}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'× off':>8}{'tx/s':>10}{'rows/s':>12}")
    for name, phase in medians.items():
        ratio = phase.p95_ms / medians["off"].p95_ms
        print(
            f"{name:14}{phase.p50_ms:>10.1f}{phase.p95_ms:>10.1f}{phase.p99_ms:>10.1f}{ratio:>8.2f}"
            f"{phase.transactions_per_s:>10.1f}{phase.rows_per_s:>12,.0f}"
        )
    full, throttled = medians["unthrottled"].rows_per_s, medians["throttled"].rows_per_s
    print(f"load rate given up: {100 * (1 - throttled / full):.0f} %")


if __name__ == "__main__":
    sys.exit(main())
