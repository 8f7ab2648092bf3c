"""Functions that are killed at critical moments."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from support import ledger
from support.files import contract, numbered, write
from support.proxy import Call, Matches, Proxy
from support.stack import Stack


def sends_chunks(call: Call) -> bool:
    return "SendMessageBatch" in call.target + call.body.decode(errors="replace") and b"-load" in call.body


def writes_published_mark(call: Call) -> bool:
    return call.method == "PUT" and call.path.split("?")[0].endswith("/published.json")


@pytest.mark.parametrize(
    ("matches", "passed_on"),
    [(sends_chunks, False), (sends_chunks, True), (writes_published_mark, False)],
    ids=["before messages are sent", "after some messages are sent", "before the published mark"],
)
def test_a_batch_is_published_after_ingest_was_killed_between_manifest_and_publish(
    faulty: Stack, proxy: Proxy, tmp_path: Path, matches: Matches, passed_on: bool, request: pytest.FixtureRequest
) -> None:
    source = f"unpublished{request.node.callspec.indices['matches']}"
    rows = numbered(2600)
    faulty.publish(contract(tmp_path, source))
    with proxy.hold(matches, passed_on=passed_on) as hold:
        drop = faulty.drop_without_waiting(write(tmp_path, "rows.csv", rows), source)
        assert hold.reached.wait(30), faulty.log_ends()
        assert faulty.object("processed", f"batches/{drop['batch_id']}/manifest.json") is not None
        assert faulty.kill("ingest")
    receipt = faulty.wait_for_receipt(source, drop["batch_id"], "loaded")
    ledger.check(faulty, receipt, rows)
    faulty.wait_until_quiet()
    published = faulty.object("processed", f"batches/{drop['batch_id']}/published.json")
    assert published["messages"] == 6


def test_a_drop_is_read_again_after_ingest_was_killed_while_reading(
    faulty: Stack, proxy: Proxy, tmp_path: Path
) -> None:
    rows = numbered(2600)
    faulty.publish(contract(tmp_path, "unread"))

    def writes_second_chunk(call: Call) -> bool:
        return call.method == "PUT" and "/chunks/00000-00001" in call.path

    with proxy.hold(writes_second_chunk, passed_on=False) as hold:
        drop = faulty.drop_without_waiting(write(tmp_path, "rows.csv", rows), "unread")
        assert hold.reached.wait(30), faulty.log_ends()
        assert faulty.kill("ingest")
        assert faulty.object("processed", f"batches/{drop['batch_id']}/manifest.json") is None
    ledger.check(faulty, faulty.wait_for_receipt("unread", drop["batch_id"], "loaded"), rows)


def test_a_chunk_is_loaded_again_after_the_writer_was_killed_before_the_commit(faulty: Stack, tmp_path: Path) -> None:
    faulty.publish(contract(tmp_path, "uncommitted"))
    faulty.drop(write(tmp_path, "first.csv", numbered(10)), "uncommitted")
    rows = numbered(1200, day=2)
    with faulty.connect() as connection:
        with connection.transaction():
            # The writer copies into its own temporary table, then its merge waits for this lock.
            connection.execute("LOCK TABLE public.uncommitted IN SHARE MODE")
            drop = faulty.drop_without_waiting(write(tmp_path, "second.csv", rows), "uncommitted")
            waiting = faulty.wait(faulty.waiting_merges, "a merge that waits for the lock")
            assert all("public" in query and "INSERT" in query for query in waiting), waiting
            assert faulty.kill("writer")
        left = connection.execute("SELECT count(*) FROM penstock.chunk WHERE batch_id = %s", [drop["batch_id"]])
        assert left.fetchone() == (0,)
    ledger.check(faulty, faulty.wait_for_receipt("uncommitted", drop["batch_id"], "loaded"), rows)


def test_a_committed_chunk_is_skipped_after_the_writer_was_killed(faulty: Stack, proxy: Proxy, tmp_path: Path) -> None:
    rows = numbered(1200)
    faulty.publish(contract(tmp_path, "committed"))

    def writes_receipt(call: Call) -> bool:
        return (
            call.method == "PUT"
            and "receipts/committed/" in call.path
            and re.search(rb'"state": *"loaded"', call.body) is not None
        )

    with proxy.hold(writes_receipt, passed_on=False) as hold:
        drop = faulty.drop_without_waiting(write(tmp_path, "rows.csv", rows), "committed")
        assert hold.reached.wait(30), faulty.log_ends()
        before = faulty.query("SELECT id, xmin::text FROM public.committed ORDER BY 1")
        assert len(before) == len(rows)
        assert faulty.kill("writer")
    ledger.check(faulty, faulty.wait_for_receipt("committed", drop["batch_id"], "loaded"), rows)
    assert faulty.query("SELECT id, xmin::text FROM public.committed ORDER BY 1") == before


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_batch_is_loaded_after_the_database_was_stopped_during_the_load(
    faulty: Stack, tmp_path: Path, how: str
) -> None:
    source = f"gone{how}"
    faulty.publish(contract(tmp_path, source))
    faulty.drop(write(tmp_path, "first.csv", numbered(10)), source)
    rows = numbered(2600, day=2)
    with faulty.connect() as connection:
        connection.execute("BEGIN")
        connection.execute(f"LOCK TABLE public.{source} IN SHARE MODE")
        drop = faulty.drop_without_waiting(write(tmp_path, "second.csv", rows), source)
        faulty.wait(faulty.waiting_merges, "a merge that waits for the lock")
        # This ends every session, including the one with the lock.
        faulty.control(f"postgres/{how}")
        if how == "kill":
            faulty.control("postgres/restart")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    ledger.check(faulty, faulty.wait_for_receipt(source, drop["batch_id"], "loaded"), rows)
