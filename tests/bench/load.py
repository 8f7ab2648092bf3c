"""`make load`: drops many small files and some large ones at once, and records what the system does with them.

Prints a table, and writes an SVG and the samples as JSON. The memory of a function and the number of database
connections must not grow with the number of waiting files.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

import sources
from chart import Panel, Series, svg
from support.stack import BINARIES, ROOT, Stack
from support.template import parsed

SOURCE = "bench"
FUNCTIONS = ("ingest", "writer")
# A function's memory after the first tenth of the time and at the end may differ by this, MiB.
LIMIT_GROWTH_MIB = 64
SAMPLE_S = 1.0
ROWS = "SELECT coalesce(sum(rows), 0)::bigint FROM penstock.chunk"
BATCHES = "SELECT count(*) FROM penstock.batch WHERE balanced"
SESSIONS = """SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = current_database() AND application_name <> 'load'"""


@dataclass(frozen=True)
class Sample:
    """One observation. `age_s` is the age of the oldest file that no function has begun with; queues are first-in,
    first-out here, except for redeliveries."""

    at_s: float
    drops: int
    load: int
    age_s: float
    rows: int
    batches: int
    connections: int
    # Resident memory of the largest process of each function, MiB.
    memory_mib: dict[str, float]
    processes: dict[str, int]


@dataclass
class Upload:
    """The progress of the uploads."""

    # Seconds since the start at which each file was uploaded.
    at_s: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, at_s: float) -> None:
        with self.lock:
            self.at_s.append(at_s)

    def age_of(self, number: int, now_s: float) -> float:
        """Returns the age of the file with this number in the order of the uploads, or 0 if there is none."""
        with self.lock:
            return now_s - self.at_s[number] if number < len(self.at_s) else 0.0


def main() -> int:
    options = arguments()
    options.work.mkdir(parents=True, exist_ok=True)
    small = sources.write_small(options.work / "small.csv", options.small_rows, seed=1).read_bytes()
    large = options.work / "large.csv"
    sources.write_large(large, options.large_rows)
    bodies = [small] * options.small + [large.read_bytes()] * options.large
    # Large files are spread among the small ones.
    order = sorted(range(len(bodies)), key=lambda number: (number * 7919) % len(bodies))
    with Stack.up(options.work / "state") as stack:
        stack.publish(ROOT / "tests/bench/bench.odcs.yaml")
        samples = measure(stack, [bodies[number] for number in order], options.timeout)
    (options.work / "load.json").write_text(json.dumps([asdict(sample) for sample in samples]))
    (options.work / "load.svg").write_text(drawing(samples))
    print_table(samples)
    print(f"\n{options.work / 'load.svg'}")
    maximum = int(parsed()["Parameters"]["WriterMaximumConcurrency"]["Default"])
    return verdict(samples, len(bodies), maximum)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="number of small files")
    parser.add_argument("--small-rows", type=int, default=20)
    parser.add_argument("--large", type=int, default=20, help="number of large files")
    parser.add_argument("--large-rows", type=int, default=200_000)
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds")
    parser.add_argument("--work", type=Path, default=ROOT / "target/load")
    return parser.parse_args()


def measure(stack: Stack, bodies: list[bytes], timeout_s: float) -> list[Sample]:
    """Uploads all files and takes samples until all of them are loaded."""
    started, upload = time.monotonic(), Upload()
    s3, bucket = stack.client("s3"), stack.bucket("raw")

    def put(number: int) -> None:
        s3.put_object(Bucket=bucket, Key=f"{SOURCE}/{number:06}.csv", Body=bodies[number])
        upload.add(time.monotonic() - started)

    samples: list[Sample] = []
    # Of its own name, so that it is not counted.
    connection = psycopg.connect(stack.database_url, autocommit=True, application_name="load")
    with connection, ThreadPoolExecutor(8) as pool:
        puts = [pool.submit(put, number) for number in range(len(bodies))]
        while not samples or samples[-1].batches < len(bodies):
            if time.monotonic() - started > timeout_s:
                raise SystemExit(f"{samples[-1].batches} of {len(bodies)} files are loaded after {timeout_s:.0f} s")
            time.sleep(SAMPLE_S)
            samples.append(sample(stack, connection, upload, started))
        for one in puts:
            one.result()
    return samples


def sample(stack: Stack, connection: psycopg.Connection[Any], upload: Upload, started: float) -> Sample:
    sqs, now_s = stack.client("sqs"), time.monotonic() - started
    depths = {}
    for queue in ("drops", "load"):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = sqs.get_queue_attributes(QueueUrl=stack.queue(queue), AttributeNames=names)["Attributes"]
        depths[queue] = {name: int(attributes[name]) for name in names}
    begun = len(upload.at_s) - depths["drops"]["ApproximateNumberOfMessages"]

    def number(query: str) -> int:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return int(row[0])

    exists = number("SELECT (to_regclass('penstock.batch') IS NOT NULL)::integer") == 1
    memory, processes = memory_of(stack)
    return Sample(
        now_s,
        sum(depths["drops"].values()),
        sum(depths["load"].values()),
        max(0.0, upload.age_of(max(begun, 0), now_s)),
        number(ROWS) if exists else 0,
        number(BATCHES) if exists else 0,
        number(SESSIONS),
        memory,
        processes,
    )


def memory_of(stack: Stack) -> tuple[dict[str, float], dict[str, int]]:
    """Returns the resident memory of each function's largest process in MiB, and the number of its processes."""
    functions = stack.control("status", method="GET")["functions"]
    memory, processes = {}, {}
    for name in FUNCTIONS:
        pids = [environment["pid"] for environment in functions[name]["environments"]]
        memory[name], processes[name] = max((resident_mib(pid) for pid in pids), default=0.0), len(pids)
    return memory, processes


def resident_mib(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        # The process has just ended.
        return 0.0
    lines = (line.split() for line in status.splitlines())
    return next((int(words[1]) / 1024 for words in lines if words and words[0] == "VmRSS:"), 0.0)


def print_table(samples: list[Sample]) -> None:
    head = "time s", "drops", "load", "age s", "files", "rows", "rows/s", "connections", "ingest MiB", "writer MiB"
    print(" ".join(f"{name:>11}" for name in head))
    step = max(1, len(samples) // 20)
    shown = [*samples[:-1:step], samples[-1]]
    for before, now in zip([shown[0], *shown], shown):
        elapsed = now.at_s - before.at_s
        rate = (now.rows - before.rows) / elapsed if elapsed else 0.0
        row = (
            f"{now.at_s:.0f}", now.drops, now.load, f"{now.age_s:.0f}", now.batches, now.rows, f"{rate:.0f}",
            now.connections, f"{now.memory_mib['ingest']:.0f}", f"{now.memory_mib['writer']:.0f}",
        )  # fmt: skip
        print(" ".join(f"{value:>11}" for value in row))


def drawing(samples: list[Sample]) -> str:
    times = [one.at_s for one in samples]
    rates = [0.0] + [(b.rows - a.rows) / (b.at_s - a.at_s) for a, b in zip(samples, samples[1:])]

    def series(name: str, values: list[float]) -> Series:
        return Series(name, list(zip(times, values)))

    panels = [
        Panel("messages", [series("drops queue", [float(one.drops) for one in samples]),
                           series("load queue", [float(one.load) for one in samples])]),
        Panel("age of the oldest file, s", [series("drops queue", [one.age_s for one in samples])]),
        Panel("rows/s", [series("loaded", rates)]),
        Panel("memory of the largest process, MiB",
              [series(name, [one.memory_mib[name] for one in samples]) for name in FUNCTIONS]),
        Panel("connections", [series("database", [float(one.connections) for one in samples])]),
    ]  # fmt: skip
    return svg("Load of many files at once", "s", panels)


def verdict(samples: list[Sample], files: int, maximum: int) -> int:
    """Prints the totals and each broken limit. Returns 1 if there is one."""
    last = samples[-1]
    most = max(one.connections for one in samples)
    writers = max(one.processes["writer"] for one in samples)
    print(f"{files} files and {last.rows} rows in {last.at_s:.0f} s: {last.rows / last.at_s:.0f} rows/s")
    problems = []
    if most > maximum or writers > maximum:
        problems.append(f"{most} connections and {writers} writers, but the maximum concurrency is {maximum}")
    for name in FUNCTIONS:
        values = [one.memory_mib[name] for one in samples]
        early, late = (max(part) for part in (values[: len(values) // 2], values[len(values) // 2 :]))
        if late > early + LIMIT_GROWTH_MIB:
            problems.append(f"the memory of {name} grew from {early:.0f} to {late:.0f} MiB")
    for problem in problems:
        print(f"limit: {problem}")
    return int(bool(problems))


if __name__ == "__main__":
    if not (BINARIES / "penstock").is_file():
        sys.exit(f"no binaries at {BINARIES}: run `make load`")
    sys.exit(main())
