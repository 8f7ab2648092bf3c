#!/usr/bin/env python3
"""Generates the example feeds of three shops, or the product file of the benchmarks. A seed makes them reproducible.

    generate.py OUT                       nordwind.csv, lakeside.ndjson.gz, orient.tsv, each with <feed>.expected.json
    generate.py --bench ROWS OUT [--bad PERCENT]      one CSV of ROWS rows

A few percent of the rows are bad, with more than a dozen different errors. `<feed>.expected.json` lists them with their
reasons. It is derived from the inserted errors, so that a test can compare it with the engine's result.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import bench_rows
from shops import Feed, Reason, lakeside, nordwind, orient

SEED = 20251103
BAD_PERCENT = 3
REPEATED_PERCENT = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a folder, or with --bench a file")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--bench", type=int, metavar="ROWS", help="write the benchmark's product file instead")
    parser.add_argument("--bad", type=float, default=0.0, metavar="PERCENT", help="bad prices in the benchmark's file")
    options = parser.parse_args()
    if options.bench is not None:
        bench_rows.write(options.out, options.bench, options.seed, options.bad)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    write_feeds(options.out, options.seed)


def write_feeds(folder: Path, seed: int = SEED) -> None:
    """Writes the example feeds and the expected results."""
    for feed in (nordwind(), lakeside(), orient()):
        write_feed(feed, folder, seed)


def write_feed(feed: Feed, folder: Path, seed: int) -> None:
    """Writes the feed's file and the expected result."""
    lines, expected = make(feed, seed)
    content = feed.head + b"".join(lines)
    if feed.file_name.endswith(".gz"):
        # Without a time in the header, the file is reproducible.
        content = gzip.compress(content, mtime=0)
    (folder / feed.file_name).write_bytes(content)
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (folder / f"{feed.source}.expected.json").write_text(text + "\n", encoding="utf-8")


def make(feed: Feed, seed: int) -> tuple[list[bytes], dict[str, Any]]:
    """Returns the feed's records and the expected result."""
    rng = random.Random(f"{seed}/{feed.source}")
    bad_rows = rng.sample(range(1, feed.rows + 1), feed.rows * BAD_PERCENT // 100)
    faults = {row: feed.faults[index % len(feed.faults)] for index, row in enumerate(bad_rows)}
    lines: list[bytes] = []
    rejects: list[dict[str, Any]] = []
    accepted: list[int] = []
    times: dict[int, set[str]] = {}
    for row in range(1, feed.rows + 1):
        number = row
        if row not in faults and accepted and rng.random() * 100 < REPEATED_PERCENT:
            number = rng.choice(accepted)
        product = feed.product(rng, number)
        # Rows with the same key have different event times, so that the file alone determines the newest.
        while str(product.changed) in times.get(number, ()):
            product = feed.product(rng, number)
        record = feed.record(rng, product)
        if row in faults:
            lines.append(faults[row].spoil(record, feed.encode))
            rejects.append({"row": row, "reasons": [reason._asdict() for reason in faults[row].reasons]})
        else:
            lines.append(feed.encode(record))
            accepted.append(number)
            times.setdefault(number, set()).add(str(product.changed))
    return lines, expectation(feed, len(accepted), len(times), rejects)


def expectation(feed: Feed, accepted: int, keys: int, rejects: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the counts of the receipt and the reasons of each bad row, in the order of the columns."""
    by_reason = Counter(Reason(**reason) for reject in rejects for reason in reject["reasons"])
    return {
        "source": feed.source,
        "file": feed.file_name,
        "rows": {
            "read": feed.rows,
            "accepted": accepted,
            "rejected": len(rejects),
            "loaded": keys,
            "deduplicated": accepted - keys,
            "superseded": 0,
            "blank": 0,
            "repeated_headers": 0,
        },
        "rejects_by_reason": [
            {**reason._asdict(), "rows": rows}
            for reason, rows in sorted(
                by_reason.items(), key=lambda item: (-item[1], item[0].code, item[0].column or "")
            )
        ],
        "rejects": rejects,
    }


if __name__ == "__main__":
    main()
