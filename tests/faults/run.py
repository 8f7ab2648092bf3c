"""Runs seeded plans of faults and compares the end state with the oracle: `python -m faults.run --runs 100 --seed 1`.

A run is one seed. Each prints a line; a failure prints what differs, what was done, and where state and logs are.
"""

from __future__ import annotations

import argparse
import multiprocessing
import queue
import shutil
import signal
import sys
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faults.compare import ORPHAN, choices, differences
from faults.drive import Driver, Journal, NotQuiet
from faults.model import Deploy, Plan
from faults.observe import Observer
from faults.oracle import ImpossibleChoice, expect
from faults.plan import draw
from faults.site import Site, new_folder, previous_binaries, removes_orphans
from faults.watch import Watch

# A queue that worker processes share.
Seeds = Any


@dataclass
class Result:
    plan: Plan
    journal: Journal
    problems: list[str]
    seconds: float


@dataclass(frozen=True)
class Settings:
    """`without` has traits and faults that plans shall not have; differences with a text of `ignored` do not count."""

    without: frozenset[str] = frozenset()
    ignored: tuple[str, ...] = ()
    max_failures: int = 20

    def plan(self, seed: int, has_previous: bool) -> Plan:
        plan = draw(seed, has_previous=has_previous, without=self.without)
        phases = (
            replace(phase, faults=tuple(fault for fault in phase.faults if fault.kind.value not in self.without))
            for phase in plan.phases
        )
        return replace(plan, phases=tuple(phases))


def run(site: Site, seed: int, settings: Settings) -> Result:
    plan = settings.plan(seed, site.previous is not None)
    started = time.monotonic()
    driver, watch = Driver(site, plan), Watch(site, plan)
    watch.start()
    try:
        driver.run()
        watch.end()
        observed = Observer(site, plan).observe()
        journal = driver.journal
        expected = expect(plan, journal.facts, choices(observed), journal.by_hand)
        problems = watch.problems + differences(plan, expected, observed, journal.poison)
    except (NotQuiet, ImpossibleChoice) as error:
        problems = [str(error)]
    except Exception:
        problems = [f"the harness failed: {traceback.format_exc()}"]
    finally:
        watch.end()
    ignored = settings.ignored if removes_orphans() else (*settings.ignored, f"{ORPHAN} ", f"{ORPHAN}: ")
    problems = [problem for problem in problems if not any(text in problem for text in ignored)]
    return Result(plan, driver.journal, problems, time.monotonic() - started)


def faults_of(plan: Plan) -> str:
    names = {fault.kind.value for phase in plan.phases for fault in phase.faults}
    for action in (action for phase in plan.phases for action in phase.actions):
        if isinstance(action, Deploy):
            kind = "previous release" if action.previous else "clock skew" if action.skew_s else "chunk rows"
            names.add(f"deploy ({kind})")
        elif type(action).__name__ in ("Publish", "Poison", "RunSentinel"):
            names.add(type(action).__name__.lower())
    names |= {change.kind.value for phase in plan.phases for change in phase.by_hand}
    return ", ".join(sorted(names)) or "none"


def clean_up(site: Site, plan: Plan) -> None:
    """Removes the objects and tables of a run, so that the next one is as fast as the first."""
    stack = site.stack
    for bucket in ("raw", "processed", "quarantine"):
        site.empty(bucket)
    for source in plan.sources:
        site.empty("artifacts", f"contracts/{source.name}/")
    with stack.connect() as connection:
        for table in plan.tables():
            connection.execute(f"DROP TABLE IF EXISTS public.{table}".encode())


def description(result: Result, folder: Path) -> str:
    """Returns what differs, what was done, and where state and logs are."""
    plan = result.plan
    lines = [f"  plan of seed {plan.seed}: ChunkRows {plan.chunk_rows}"]
    for source in plan.sources:
        event_time = "event time" if source.has_event_time else "no event time"
        modes = f"{source.write.value}, overwrite {source.overwrite.value}, priority {source.priority}, {event_time}"
        lines.append(f"    {source.name} -> {source.table}: {modes}")
    lines += [f"    {line}" for line in result.journal.lines]
    lines += [f"  ✗ {problem}" for problem in result.problems]
    return "\n".join([*lines, f"  state and logs: {folder / 'state'}"])


def work(seeds: Seeds, failed: Seeds, folder: Path, settings: Settings) -> None:
    """Runs seeds of a queue until it is empty. A failure starts a new stack, so that its state remains as it is."""
    # Ctrl-C reaches the whole group; the main process ends the workers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    seed = next_seed(seeds)
    while seed is not None:
        with Site.up(new_folder(folder)) as site:
            is_right = True
            while seed is not None and is_right:
                result = run(site, seed, settings)
                is_right = not result.problems
                line = (
                    f"seed {seed}: {'ok' if is_right else 'FAILED'} in {result.seconds:.1f} s: {faults_of(result.plan)}"
                )
                print(line if is_right else f"{line}\n{description(result, site.folder)}", flush=True)
                if is_right:
                    clean_up(site, result.plan)
                else:
                    failed.put(seed)
                seed = next_seed(seeds) if failed.qsize() < settings.max_failures else None
        if is_right:
            shutil.rmtree(site.folder, ignore_errors=True)


def next_seed(seeds: Seeds) -> int | None:
    try:
        return int(seeds.get_nowait())
    except queue.Empty:
        return None


def run_all(seeds: list[int], settings: Settings, jobs: int = 1) -> list[int]:
    """Runs the seeds on `jobs` stacks at the same time, each in a process of its own. Returns the seeds that failed."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        pending, failed = manager.Queue(), manager.Queue()
        for seed in seeds:
            pending.put(seed)
        folder = new_folder()
        workers = [context.Process(target=work, args=(pending, failed, folder, settings)) for _ in range(jobs)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        broken = [worker.exitcode for worker in workers if worker.exitcode]
        if broken:
            raise SystemExit(f"{len(broken)} of {jobs} stacks broke: see above; states in {folder}")
        failures = sorted(failed.get() for _ in range(failed.qsize()))
    if failures:
        print(f"states of the failed runs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="number of runs, with consecutive seeds")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=1, help="number of stacks that run at the same time")
    parser.add_argument("--show", action="store_true", help="print the plan of the seed and do nothing")
    parser.add_argument("--max-failures", type=int, default=20)
    parser.add_argument("--without", action="append", default=[], help="a trait or fault that no plan shall have")
    parser.add_argument("--ignore", action="append", default=[], help="text of differences that do not count")
    options = parser.parse_args()
    settings = Settings(frozenset(options.without), tuple(options.ignore), options.max_failures)
    if options.show:
        for phase in settings.plan(options.seed, previous_binaries() is not None).phases:
            print(*phase.by_hand, *phase.actions, *phase.faults, sep="\n", end="\n\n")
        return 0
    if previous_binaries() is None:
        print("PENSTOCK_PREVIOUS_BINARIES is not set: the previous release is not deployed")
    started = time.monotonic()
    failures = run_all(list(range(options.seed, options.seed + options.runs)), settings, options.jobs)
    print(f"{options.runs} runs, {len(failures)} failures, {time.monotonic() - started:.0f} s")
    if failures:
        print(f"failed seeds: {', '.join(map(str, failures))}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
