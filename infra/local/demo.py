"""`make demo`: loads real feeds through a stack of its own and shows what happened to every row."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "infra/contracts"
STATE_DIR = ROOT / ".penstock/demo"
EXAMPLES = {"nordwind": "nordwind.csv", "lakeside": "lakeside.ndjson.gz", "orient": "orient.tsv"}
REAL_SHOPS = ("abt", "amazon", "buy", "google")
TIMEOUT_S = 60


@dataclass
class Steps:
    """The steps of the demo and their durations."""

    seconds: dict[str, float]

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        print(f"\n── {name} " + "─" * (76 - len(name)), flush=True)
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


def main() -> int:
    options = arguments()
    # The stack is also stopped when the demo is terminated or its terminal is closed.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, exit_on_signal)
    steps = Steps({name: float(seconds) for name, seconds in options.earlier})
    feeds = STATE_DIR / "feeds"
    with steps.step("generate the example feeds"):
        generator = ROOT / "infra/local/feeds/generate.py"
        subprocess.run([sys.executable, generator, feeds], check=True)
        files = {source: feeds / name for source, name in EXAMPLES.items()} | real_feeds()
        print(", ".join(f"{path.name} ({path.stat().st_size:,} bytes)" for path in files.values()))
    penstock = Penstock(options.binaries / "penstock")
    with contextlib.ExitStack() as cleanup:
        with steps.step("start the stack"):
            endpoints = cleanup.enter_context(penstock.stack())
            print(f"S3 and SQS at {endpoints['aws_url']}, PostgreSQL at {without_password(endpoints['database_url'])}")
        with steps.step("publish the contracts"):
            penstock.run("contract", "publish", *(str(CONTRACTS / f"{source}.yaml") for source in files))
        with steps.step("drop the feeds and wait for their receipts"):
            receipts = drop_all(penstock, files)
        with steps.step("show the tables"), psycopg.connect(endpoints["database_url"]) as connection:
            show_tables(connection)
        with steps.step("show some rejected rows"):
            show_rejects(penstock, receipts)
    print("\n── done " + "─" * 72)
    for name, seconds in steps.seconds.items():
        print(f"{seconds:7.2f} s  {name}")
    print(
        f"{sum(steps.seconds.values()):7.2f} s  total. The stack is stopped; `make up` starts one that keeps running."
    )
    return 0 if all(receipt["state"] == "loaded" for receipt in receipts) else 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binaries", type=Path, required=True, help="folder with penstock and the functions")
    parser.add_argument(
        "--earlier",
        action="append",
        default=[],
        metavar="STEP=SECONDS",
        type=lambda text: text.split("=", 1),
        help="an earlier step and its duration",
    )
    return parser.parse_args()


def exit_on_signal(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def real_feeds() -> dict[str, Path]:
    """Returns the catalogues of four real shops, if they are on this machine."""
    folder = Path(os.environ.get("PENSTOCK_PRODUCTS_DIR") or ROOT.parent / "shared/data/products")
    files = {source: folder / f"{source}.csv" for source in REAL_SHOPS}
    return {source: path for source, path in files.items() if path.is_file()}


class Penstock:
    """The `penstock` program with the demo's stack."""

    def __init__(self, program: Path) -> None:
        self._program = program
        # Without the settings of another stack.
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK_")}
        self._environment["PENSTOCK_STATE_DIR"] = str(STATE_DIR)

    @contextlib.contextmanager
    def stack(self) -> Iterator[dict[str, Any]]:
        """Runs the stack as a child in the foreground, so that Ctrl-C reaches it too. Yields its endpoints."""
        STATE_DIR.mkdir(parents=True, exist_ok=True)
        with (STATE_DIR / "stack.log").open("w") as log:
            stack = self.start("up", "--json", "--fast-database", stderr=log)
            try:
                assert stack.stdout is not None
                yield json.loads(read_object(stack))
            finally:
                stack.terminate()
                stack.wait()

    def start(self, *arguments: str, stderr: Any = None) -> subprocess.Popen[str]:
        command = [str(self._program), *arguments]
        return subprocess.Popen(
            command, env=self._environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True
        )

    def run(self, *arguments: str) -> None:
        subprocess.run([str(self._program), *arguments], env=self._environment, cwd=ROOT, check=True)


def read_object(process: subprocess.Popen[str]) -> str:
    """Reads one JSON object of several lines, the last of which is `}`."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line.rstrip() == "}":
            return text
    raise SystemExit(f"the stack did not start: see {STATE_DIR / 'stack.log'}")


def drop_all(penstock: Penstock, files: dict[str, Path]) -> list[dict[str, Any]]:
    """Drops all files at the same time, shows each receipt and returns the receipts."""
    wait = ("--wait", "--timeout", str(TIMEOUT_S), "--json")
    drops = [penstock.start("drop", str(path), "--source", source, *wait) for source, path in files.items()]
    receipts = []
    for source, drop in zip(files, drops):
        output, _ = drop.communicate()
        if drop.returncode not in (0, 2, 3):
            raise SystemExit(f"the drop of {source} did not finish (exit status {drop.returncode})")
        receipt = json.loads(output)
        show_receipt(receipt)
        receipts.append(receipt)
    return receipts


def show_receipt(receipt: dict[str, Any]) -> None:
    rows = receipt["rows"]
    print(
        f"{receipt['source']:<9} {receipt['state']:<8} {rows['read']:>5,} read = {rows['loaded']:,} loaded"
        f" + {rows['rejected']:,} rejected + {rows['deduplicated']:,} deduplicated"
        f" + {rows['superseded']:,} superseded + {rows['blank']:,} blank · {receipt['seconds']['total']:.2f} s",
        flush=True,
    )
    if receipt["refusal"]:
        print(f"          {receipt['refusal']['code']}: {receipt['refusal']['message']}")
    if receipt["dialect"] and receipt["dialect"]["assumed"]:
        print(f"          assumed: {', '.join(receipt['dialect']['assumed'])}")
    reasons = receipt["rejects_by_reason"][:4]
    if reasons:
        listed = ", ".join(f"{reason['rows']} × {reason['column'] or 'record'} {reason['code']}" for reason in reasons)
        more = len(receipt["rejects_by_reason"]) - len(reasons)
        print(f"          {listed}" + (f" and {more} more reasons" if more else ""))


def show_tables(connection: psycopg.Connection[Any]) -> None:
    print("rows of public.products by source:")
    counts = connection.execute(
        "SELECT source, count(*), count(price), min(price), max(price) FROM public.products GROUP BY 1 ORDER BY 1"
    )
    for source, rows, priced, low, high in counts:
        print(f"  {source:<9} {rows:>6,} rows, {priced:>6,} with a price, from {low} to {high}")
    print("one harmonised row of each source:")
    rows = connection.execute(
        "SELECT DISTINCT ON (source) source, id, left(title, 36), price, currency, _row, _batch_id"
        " FROM public.products WHERE price IS NOT NULL ORDER BY source, id"
    )
    for source, key, title, price, currency, row, batch in rows:
        print(f"  {source:<9} {key:<11} {title:<36} {price:>9} {currency or '   '}  row {row} of {str(batch)[:8]}…")


def show_rejects(penstock: Penstock, receipts: list[dict[str, Any]]) -> None:
    for receipt in receipts:
        if receipt["rows"]["rejected"]:
            print(f"{receipt['source']}: 2 of {receipt['rows']['rejected']} rejected rows", flush=True)
            penstock.run("rejects", receipt["batch_id"], "--source", receipt["source"], "--limit", "2")


def without_password(url: str) -> str:
    return url.split("@", 1)[-1]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
