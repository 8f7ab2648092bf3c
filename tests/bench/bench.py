"""`make bench`: measures Penstock's performance figures on this machine and compares them with their limits.

Prints a table and writes the figures as JSON. Wall time is noisy on a shared machine. The runs of Penstock and `psql`
therefore alternate, and the result is the median ratio of CPU time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import sql

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sources
from meter import Usage, cluster_cpu_seconds, functions_usage, run_timed
from stack import Stack

ROOT = Path(__file__).resolve().parents[2]
LIMIT_CPU_RATIO = 1.25
LIMIT_PEAK_MIB = 128
LIMIT_COLD_START_RATIO = 2.0
# Cold start does not depend on it (docs/performance.md), so it only makes a large new dependency visible.
LIMIT_BINARY_MB = 18
LIMIT_LATENCY_S = 2.0
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml"))


@dataclass(frozen=True)
class Load:
    """One load of the whole file: wall seconds, and CPU seconds of the client side and of PostgreSQL."""

    wall_s: float
    client_cpu_s: float
    postgres_cpu_s: float

    @property
    def cpu_s(self) -> float:
        return self.client_cpu_s + self.postgres_cpu_s


def main() -> int:
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    feed = generate(options.work, options.rows)
    with Stack(options.functions / "penstock", ROOT, options.work / "state") as stack:
        stack.publish(ROOT / "tests/bench/bench.odcs.yaml")
        # The first drop creates the table, which is then copied for the baseline.
        warm_up = sources.write_small(options.work / "warm-up.csv", rows=200, seed=1)
        stack.wait_loaded(stack.drop("bench", warm_up, "warm-up.csv").batch_id)
        create_baseline_table(stack)
        retain_wal(stack)
        compare(stack, feed, options.rows, turn=-1)  # Creates the segments of the write-ahead log.
        pairs = [compare(stack, feed, options.rows, turn) for turn in range(options.pairs)]
        peaks = functions_usage(stack.status())
        latencies = [drop_to_queryable(stack, options.work, turn) for turn in range(20)]
    figures = {
        "rows": options.rows,
        "pairs": [{"penstock": vars(ours), "psql": vars(theirs)} for ours, theirs in pairs],
        "cold_start": cold_starts(options.functions),
        "binary_mb": {name: (options.functions / name).stat().st_size / 1e6 for name in FUNCTIONS},
        "peak_mib": {name: usage.peak_mib for name, usage in peaks.items()},
        "latency_s": latencies,
    }
    (options.work / "figures.json").write_text(json.dumps(figures, indent=2))
    return report(options.rows, pairs, peaks, figures, latencies)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_200_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--functions", type=Path, default=ROOT / "target/release")
    parser.add_argument("--work", type=Path, default=ROOT / ".penstock/bench")
    return parser.parse_args()


def generate(work: Path, rows: int) -> Path:
    feed = work / f"products-{rows}.csv"
    if not feed.exists():
        print(f"generating {rows:,} rows", flush=True)
        sources.write_large(feed, rows)
    return feed


def create_baseline_table(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS public.bench_baseline")
        # The same columns, key, collation and fillfactor. LIKE does not copy the fillfactor.
        connection.execute("CREATE TABLE public.bench_baseline (LIKE public.bench_products INCLUDING ALL)")
        options = connection.execute("SELECT reloptions FROM pg_class WHERE oid = 'public.bench_products'::regclass")
        fillfactor = dict(option.split("=") for option in (options.fetchone() or [[]])[0])["fillfactor"]
        change = sql.SQL("ALTER TABLE public.bench_baseline SET (fillfactor = {})")
        connection.execute(change.format(sql.Literal(int(fillfactor))))
        connection.commit()


def retain_wal(stack: Stack) -> None:
    """Makes the server retain the segments of its write-ahead log, as a server does that has run for some time."""
    with stack.connect(autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET min_wal_size = '4GB'")
        connection.execute("SELECT pg_reload_conf()")


def compare(stack: Stack, feed: Path, rows: int, turn: int) -> tuple[Load, Load]:
    """Runs both loads. Their order alternates with the turn."""
    runs = [lambda: load_by_penstock(stack, feed, rows, turn), lambda: load_by_psql(stack, feed, rows)]
    if turn % 2:
        theirs = runs[1]()
        ours = runs[0]()
    else:
        ours = runs[0]()
        theirs = runs[1]()
    name = "not counted" if turn < 0 else f"pair {turn + 1}"
    print(
        f"{name}: penstock {ours.wall_s:.2f} s, {ours.client_cpu_s:.2f} + {ours.postgres_cpu_s:.2f} CPU s"
        f" · psql {theirs.wall_s:.2f} s, {theirs.client_cpu_s:.2f} + {theirs.postgres_cpu_s:.2f} CPU s",
        flush=True,
    )
    return ours, theirs


def empty(stack: Stack, table: str) -> None:
    with stack.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier("public", table)))
        connection.execute("CHECKPOINT")


def load_by_penstock(stack: Stack, feed: Path, rows: int, turn: int) -> Load:
    empty(stack, "bench_products")
    functions = total_cpu(stack)
    postgres = cluster_cpu_seconds(stack.postmaster_pid)
    # Without the producer's upload: the time starts when the object is in S3.
    dropped = stack.drop("bench", feed, f"full-{turn}.csv")
    loaded_at = stack.wait_loaded(dropped.batch_id)
    load = Load(
        wall_s=loaded_at - dropped.uploaded_at,
        client_cpu_s=total_cpu(stack) - functions,
        postgres_cpu_s=cluster_cpu_seconds(stack.postmaster_pid) - postgres,
    )
    check_count(stack, "bench_products", rows)
    return load


def total_cpu(stack: Stack) -> float:
    return sum(usage.cpu_s for usage in functions_usage(stack.status()).values())


def load_by_psql(stack: Stack, feed: Path, rows: int) -> Load:
    """Runs one `psql` session: `\\copy` into a temporary table, then the writer's merge, without checks."""
    empty(stack, "bench_baseline")
    script = (ROOT / "tests/bench/baseline.sql").read_text().replace(":feed", str(feed))
    postgres = cluster_cpu_seconds(stack.postmaster_pid)
    wall_s, client_cpu_s = run_timed(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", stack.database_url, "-f", "-"], script
    )
    load = Load(wall_s, client_cpu_s, cluster_cpu_seconds(stack.postmaster_pid) - postgres)
    check_count(stack, "bench_baseline", rows)
    return load


def check_count(stack: Stack, table: str, rows: int) -> None:
    with stack.connect() as connection:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", table))
        row = connection.execute(query).fetchone()
    if row is None or row[0] != rows:
        raise SystemExit(f"public.{table} has {row} rows instead of {rows}, so the figures are not valid")


def drop_to_queryable(stack: Stack, work: Path, turn: int) -> float:
    feed = sources.write_small(work / f"small-{turn}.csv", rows=200, seed=100 + turn)
    probe = sources.last_id(feed)
    dropped = stack.drop("bench", feed, f"small-{turn}.csv")
    with stack.connect(autocommit=True) as connection:
        while time.time() < dropped.started_at + 60:
            found = connection.execute(
                "SELECT 1 FROM public.bench_products WHERE id = %s AND _batch_id = %s", (probe, dropped.batch_id)
            ).fetchone()
            if found:
                return time.time() - dropped.started_at
            time.sleep(0.01)
    raise SystemExit(f"batch {dropped.batch_id} is not queryable after a minute")


def cold_starts(functions: Path) -> dict[str, dict[str, float]]:
    """Measures the time from the start of a process to its first response, with an empty event."""
    event = json.dumps({"Records": []})
    figures = {}
    for name in ("ingest", "writer"):
        # Alternating with `hello`, so that both are exposed to the same noise.
        done = subprocess.run(
            [functions / "cold-start", "41", event, functions / "hello", functions / name],
            env={**os.environ, **sources.placeholder_environment(name)},
            check=True,
            capture_output=True,
            text=True,
        )
        hello, function = map(json.loads, done.stdout.splitlines())
        figures[name] = {"ms": function["median_ms"], "hello_ms": hello["median_ms"]}
    return figures


def report(
    rows: int,
    pairs: list[tuple[Load, Load]],
    peaks: dict[str, Usage],
    figures: dict[str, Any],
    latencies: list[float],
) -> int:
    per_million = 1e6 / rows
    ours = statistics.median(load.cpu_s for load, _ in pairs) * per_million
    theirs = statistics.median(load.cpu_s for _, load in pairs) * per_million
    cpu_ratio = statistics.median(mine.cpu_s / other.cpu_s for mine, other in pairs)
    wall_ratio = statistics.median(mine.wall_s / other.wall_s for mine, other in pairs)
    rate = rows / statistics.median(load.wall_s for load, _ in pairs)
    cold = figures["cold_start"]
    lines = [
        ("rows/s, drop to last commit (median)", f"{rate:,.0f}", "", None),
        ("CPU s per million rows: Penstock", f"{ours:.2f}", "", None),
        ("CPU s per million rows: psql, no check", f"{theirs:.2f}", "", None),
        ("CPU ratio (median of pairs)", f"{cpu_ratio:.2f}", f"≤ {LIMIT_CPU_RATIO}", cpu_ratio <= LIMIT_CPU_RATIO),
        ("wall ratio (median of pairs)", f"{wall_ratio:.2f}", "< 1", wall_ratio < 1),
    ]
    # A function that did not run has no figure.
    for name, usage in ((name, usage) for name, usage in peaks.items() if usage.peak_mib > 0):
        lines.append(
            (f"peak MiB: {name}", f"{usage.peak_mib:.0f}", f"≤ {LIMIT_PEAK_MIB}", usage.peak_mib <= LIMIT_PEAK_MIB)
        )
    for name in ("ingest", "writer"):
        ratio = cold[name]["ms"] / cold[name]["hello_ms"]
        text = f"{cold[name]['ms']:.2f} ms, {ratio:.2f} × hello"
        lines.append((f"cold start: {name}", text, f"≤ {LIMIT_COLD_START_RATIO} ×", ratio <= LIMIT_COLD_START_RATIO))
    for name in FUNCTIONS:
        size = figures["binary_mb"][name]
        lines.append((f"binary MB: {name}", f"{size:.1f}", f"≤ {LIMIT_BINARY_MB}", size <= LIMIT_BINARY_MB))
    latency = statistics.median(latencies)
    lines.append(("200 rows, drop → queryable s (median of 20)", f"{latency:.2f}", f"< {LIMIT_LATENCY_S}", latency < 2))
    for label, value, limit, is_met in lines:
        verdict = "" if is_met is None else "met" if is_met else "MISSED"
        print(f"{label:48} {value:>26}  {limit:8} {verdict}")
    return 0 if all(is_met is not False for *_, is_met in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
