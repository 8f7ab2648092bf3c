"""`make bench-robustness`: scores how well polluted CSV files are loaded.

A file has ten scores between 0 and 1: whether it is loaded, and precision, recall and F1 of the header's names, the
records and the cells, each compared as a multiset. Their sum is the file's score, at most 10. *Simple* is the mean over
all files. *Weighted* is the mean of the means of each kind of pollution: it assumes that all kinds are equally
frequent, and does not use the weights of the Pollock paper, which apply to its own files.

White space at the ends of cells is ignored, and a missing value is an empty cell. The header of a file without header
counts as correct.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Hashable, Iterable
from importlib.metadata import version
from pathlib import Path

from loaders import NotLoadedError, System, systems
from pollution import Case, cases

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    options = arguments()
    if not options.penstock.exists():
        print(f"{options.penstock} does not exist: run `make build`", file=sys.stderr)
        return 64
    peers = ", ".join(f"{name} {version(name)}" for name in ["duckdb", "pandas", "polars"])
    files = [case for case in cases() if not options.only or case.kind in options.only]
    print(f"{len(files)} files, {len({case.kind for case in files})} kinds of pollution; {peers}\n")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        compared = systems(options.penstock, work)
        scores = {system.name: [score(system, case, work, options.verbose) for case in files] for system in compared}
    report(files, scores)
    is_met = True
    for name, least in [("penstock declared", options.declared), ("penstock undeclared", options.undeclared)]:
        found = statistics.mean(scores[name])
        if found < least:
            print(f"{name}: {found:.3f} is less than the limit of {least}")
            is_met = False
    return 0 if is_met else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--penstock", type=Path, default=ROOT / "target/debug/penstock")
    parser.add_argument("--only", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--verbose", action="store_true", help="print each file that penstock does not load completely")
    parser.add_argument("--declared", type=float, default=9.972, help="the minimum mean score with a declared dialect")
    parser.add_argument("--undeclared", type=float, default=9.90, help="the minimum mean score without one")
    return parser.parse_args()


def score(system: System, case: Case, work: Path, is_verbose: bool) -> float:
    file = work / "input.csv"
    file.write_bytes(case.content)
    try:
        header, rows = system.load(case, file)
    except NotLoadedError as error:
        if is_verbose and system.name.startswith("penstock"):
            print(f"{system.name}: {case.kind}, {case.name}: not loaded: {error}")
        return 0
    found = [[text.strip() for text in row] for row in rows]
    expected = [[text.strip() for text in row] for row in case.rows]
    names = [] if case.header is None else measures(map(str.strip, case.header), map(str.strip, header))
    total = 1 + sum(names or [1, 1, 1])
    total += sum(measures(map(tuple, expected), map(tuple, found)))
    total += sum(measures((cell for row in expected for cell in row), (cell for row in found for cell in row)))
    if is_verbose and total < 10 and system.name.startswith("penstock"):
        print(f"{system.name}: {case.kind}, {case.name}: {total:.3f}")
    return total


def measures(expected: Iterable[Hashable], found: Iterable[Hashable]) -> list[float]:
    """Returns precision, recall and F1 of a multiset. They are 1 if both multisets are empty."""
    wanted, got = Counter(expected), Counter(found)
    common = (wanted & got).total()
    if wanted.total() == got.total() == 0:
        return [1, 1, 1]
    precision = common / got.total() if got else 0
    recall = common / wanted.total() if wanted else 0
    return [precision, recall, 2 * precision * recall / (precision + recall) if common else 0]


def report(files: list[Case], scores: dict[str, list[float]]) -> None:
    out = csv.writer(sys.stdout, delimiter="|", lineterminator="\n")
    out.writerow(["kind", "files", *scores])
    out.writerow(["-"] * (len(scores) + 2))
    kinds = list(dict.fromkeys(case.kind for case in files))
    means: dict[str, list[float]] = {name: [] for name in scores}
    for kind in kinds:
        chosen = [number for number, case in enumerate(files) if case.kind == kind]
        for name, all_scores in scores.items():
            means[name].append(statistics.mean(all_scores[number] for number in chosen))
        out.writerow([kind, len(chosen), *(f"{means[name][-1]:.3f}" for name in scores)])
    out.writerow(["simple", len(files), *(f"{statistics.mean(all_scores):.3f}" for all_scores in scores.values())])
    out.writerow(["weighted", len(kinds), *(f"{statistics.mean(of_kind):.3f}" for of_kind in means.values())])


if __name__ == "__main__":
    sys.exit(main())
