"""Functions that die in the middle, at the worst moments that there are."""

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
    ids=["before its messages are sent", "after some were sent", "before it says that all were sent"],
)
def test_an_ingest_killed_between_manifest_and_publish_is_made_good(
    shaky: Stack, proxy: Proxy, tmp_path: Path, matches: Matches, passed_on: bool, request: pytest.FixtureRequest
) -> None:
    source = f"unpublished{request.node.callspec.indices['matches']}"
    rows = numbered(2600)
    shaky.publish(contract(tmp_path, source))
    with proxy.hold(matches, passed_on=passed_on) as hold:
        drop = shaky.drop_and_leave(write(tmp_path, "rows.csv", rows), source)
        assert hold.reached.wait(30), shaky.log_ends()
        assert shaky.object("processed", f"batches/{drop['batch_id']}/manifest.json") is not None
        assert shaky.kill("ingest")
    receipt = shaky.wait_for_receipt(source, drop["batch_id"], "loaded")
    ledger.check(shaky, receipt, rows)
    shaky.wait_until_quiet()
    published = shaky.object("processed", f"batches/{drop['batch_id']}/published.json")
    assert published["messages"] == 6


def test_an_ingest_killed_while_it_reads_starts_again(shaky: Stack, proxy: Proxy, tmp_path: Path) -> None:
    rows = numbered(2600)
    shaky.publish(contract(tmp_path, "unread"))

    def writes_second_chunk(call: Call) -> bool:
        return call.method == "PUT" and "/chunks/00000-00001" in call.path

    with proxy.hold(writes_second_chunk, passed_on=False) as hold:
        drop = shaky.drop_and_leave(write(tmp_path, "rows.csv", rows), "unread")
        assert hold.reached.wait(30), shaky.log_ends()
        assert shaky.kill("ingest")
        assert shaky.object("processed", f"batches/{drop['batch_id']}/manifest.json") is None
    ledger.check(shaky, shaky.wait_for_receipt("unread", drop["batch_id"], "loaded"), rows)


def test_a_writer_killed_between_copy_and_commit_leaves_nothing_and_loads_again(shaky: Stack, tmp_path: Path) -> None:
    shaky.publish(contract(tmp_path, "uncommitted"))
    shaky.drop(write(tmp_path, "first.csv", numbered(10)), "uncommitted")
    rows = numbered(1200, day=2)
    with shaky.connect() as connection:
        with connection.transaction():
            # The copy goes to the writer's own table; its merge into this one has to wait.
            connection.execute("LOCK TABLE public.uncommitted IN SHARE MODE")
            drop = shaky.drop_and_leave(write(tmp_path, "second.csv", rows), "uncommitted")
            waiting = shaky.wait(shaky.waiting_merges, "a merge that waits")
            assert all("public" in query and "INSERT" in query for query in waiting), waiting
            assert shaky.kill("writer")
        left = connection.execute("SELECT count(*) FROM penstock.chunk WHERE batch_id = %s", [drop["batch_id"]])
        assert left.fetchone() == (0,)
    ledger.check(shaky, shaky.wait_for_receipt("uncommitted", drop["batch_id"], "loaded"), rows)


def test_a_writer_killed_after_commit_skips_what_it_has(shaky: Stack, proxy: Proxy, tmp_path: Path) -> None:
    rows = numbered(1200)
    shaky.publish(contract(tmp_path, "committed"))

    def writes_receipt(call: Call) -> bool:
        return (
            call.method == "PUT"
            and "receipts/committed/" in call.path
            and re.search(rb'"state": *"loaded"', call.body) is not None
        )

    with proxy.hold(writes_receipt, passed_on=False) as hold:
        drop = shaky.drop_and_leave(write(tmp_path, "rows.csv", rows), "committed")
        assert hold.reached.wait(30), shaky.log_ends()
        before = shaky.query("SELECT id, xmin::text FROM public.committed ORDER BY 1")
        assert len(before) == len(rows)
        assert shaky.kill("writer")
    ledger.check(shaky, shaky.wait_for_receipt("committed", drop["batch_id"], "loaded"), rows)
    assert shaky.query("SELECT id, xmin::text FROM public.committed ORDER BY 1") == before


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_a_database_that_goes_away_in_the_middle_costs_time_only(shaky: Stack, tmp_path: Path, how: str) -> None:
    source = f"gone{how}"
    shaky.publish(contract(tmp_path, source))
    shaky.drop(write(tmp_path, "first.csv", numbered(10)), source)
    rows = numbered(2600, day=2)
    with shaky.connect() as connection:
        connection.execute("BEGIN")
        connection.execute(f"LOCK TABLE public.{source} IN SHARE MODE")
        drop = shaky.drop_and_leave(write(tmp_path, "second.csv", rows), source)
        shaky.wait(shaky.waiting_merges, "a merge that waits")
        # Every session ends here, the one with the lock and the writers' alike.
        shaky.control(f"postgres/{how}")
        if how == "kill":
            shaky.control("postgres/restart")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    ledger.check(shaky, shaky.wait_for_receipt(source, drop["batch_id"], "loaded"), rows)
