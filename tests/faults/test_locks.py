"""A locked table delays neither the other sources nor the readers.

`PENSTOCK_LOCK_SECONDS` is the time for which the table is locked.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import ledger
from support.files import contract, numbered, write
from support.stack import Stack

LOCK_SECONDS = float(os.environ.get("PENSTOCK_LOCK_SECONDS", "12"))
MAX_P95_SECONDS = 5
MAX_READER_SECONDS = 1


@pytest.fixture(scope="module")
def two_writers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    options = ("--parameter", "WriterMaximumConcurrency=2", "--visibility-timeout", "30")
    with Stack.up(tmp_path_factory.mktemp("two-writers"), *options) as stack:
        yield stack


def test_other_sources_are_loaded_while_a_table_is_locked(two_writers: Stack, tmp_path: Path) -> None:
    stack = two_writers
    for source in ("locked", "unlocked"):
        stack.publish(contract(tmp_path, source))
        stack.drop(write(tmp_path, "first.csv", numbered(10)), source)
    waiting: list[dict[str, Any]] = []
    seconds: list[float] = []
    with stack.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE public.locked IN SHARE MODE")
        # More messages than the two writers receive at a time.
        for number in range(24):
            rows = numbered(10, day=2, first=100 * number + 100)
            waiting.append(stack.drop_without_waiting(write(tmp_path, f"locked-{number}.csv", rows), "locked"))
        end = time.monotonic() + LOCK_SECONDS
        while time.monotonic() < end:
            first = 100 * len(seconds) + 100
            file = write(tmp_path, f"unlocked-{first}.csv", numbered(10, day=2, first=first))
            started = time.monotonic()
            assert stack.drop(file, "unlocked")["state"] == "loaded"
            seconds.append(time.monotonic() - started)
            time.sleep(0.2)
        assert stack.query("SELECT count(*) FROM public.locked") == [(10,)]
        connection.execute("ROLLBACK")
    unlocked = time.monotonic()
    for drop in waiting:
        receipt = stack.wait_for_receipt("locked", drop["batch_id"], "loaded", timeout_s=90)
        assert receipt["rows"]["loaded"] == 10
    p95 = sorted(seconds)[int(len(seconds) * 0.95)]
    print(
        f"{len(seconds)} files: median {sorted(seconds)[len(seconds) // 2]:.1f} s, p95 {p95:.1f} s, "
        f"longest {max(seconds):.1f} s; {len(waiting)} files of the locked table "
        f"{time.monotonic() - unlocked:.1f} s after the lock"
    )
    assert p95 < MAX_P95_SECONDS, seconds
    assert stack.query("SELECT count(*), count(DISTINCT id) FROM public.locked") == [(250, 250)]
    assert stack.query("SELECT count(*) FROM public.unlocked") == [(10 + 10 * len(seconds),)]
    assert stack.query("SELECT bool_and(balanced) FROM penstock.batch") == [(True,)]
    letters = stack.penstock("status", "--last", "0", "--json").json["queues"]
    assert all(sum(depth.values()) == 0 for name, depth in letters.items() if "dead" in name), letters


def test_readers_do_not_wait_while_a_column_is_to_be_added(two_writers: Stack, tmp_path: Path) -> None:
    stack = two_writers
    stack.publish(contract(tmp_path, "widened"))
    stack.drop(write(tmp_path, "first.csv", numbered(10)), "widened")
    wider = contract(tmp_path, "widened", version="2.0.0")
    wider.write_text(wider.read_text() + "      - name: colour\n        logicalType: string\n")
    stack.publish(wider)
    stop = threading.Event()
    waits: list[float] = []

    def read() -> None:
        with stack.connect() as reader:
            while not stop.is_set():
                started = time.monotonic()
                reader.execute("SELECT count(*) FROM public.widened")
                waits.append(time.monotonic() - started)
                time.sleep(0.005)

    thread = threading.Thread(target=read)
    rows = numbered(10, day=2)
    wide_file = tmp_path / "second.csv"
    wide_file.write_text("id,name,updated_at,colour\n" + "".join(f"{k},{n},{u},red\n" for k, n, u in rows))
    with stack.connect() as long_query:
        long_query.execute("BEGIN")
        long_query.execute("SELECT count(*) FROM public.widened")
        thread.start()
        drop = stack.drop_without_waiting(wide_file, "widened")
        stack.wait(lambda: max(waits, default=0) > 0.3, "a reader that waits behind ALTER TABLE")
        time.sleep(4)
        long_query.execute("ROLLBACK")
    ledger.check(stack, stack.wait_for_receipt("widened", drop["batch_id"], "loaded", timeout_s=90), rows)
    stop.set()
    thread.join()
    print(f"{len(waits)} reads, the longest waited {max(waits):.2f} s")
    assert max(waits) < MAX_READER_SECONDS
    assert stack.query("SELECT DISTINCT colour FROM public.widened") == [("red",)]
