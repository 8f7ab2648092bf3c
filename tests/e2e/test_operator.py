"""The commands with which an operator acts on batches and dead letters, on the local stack."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.files import Row, contract, numbered, write
from support.scenarios import paused, receive_message
from support.stack import BINARIES, Stack

BAD = ("x", "name", "2026-01-01T00:00:00Z")


@contextmanager
def writer_paused(stack: Stack) -> Iterator[None]:
    stack.control("mappings/writer/pause")
    try:
        yield
    finally:
        stack.control("mappings/writer/resume")


def send_dead(stack: Stack, queue: str, body: str, code: str) -> None:
    """Sends a dead letter as a function does."""
    reason = {"code": code, "message": f"a test: {code}"}
    attributes = {
        f"penstock.reason.{name}": {"DataType": "String", "StringValue": text} for name, text in reason.items()
    }
    url = stack.queue(f"{queue}-dead-letter")
    stack.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)


def letters(stack: Stack, source: str, *options: str) -> list[dict[str, Any]]:
    listed = stack.penstock("dead-letters", "list", "--source", source, "--json", *options)
    assert listed.status == 0, listed.err
    found: list[dict[str, Any]] = listed.json["letters"]
    return found


def lost_load_message(stack: Stack, folder: Path, source: str, rows: int) -> tuple[str, str]:
    """Drops a file and removes the message of its only chunk. Returns the batch and the message."""
    with writer_paused(stack):
        drop = stack.drop_without_waiting(write(folder, "rows.csv", numbered(rows)), source)
        stack.wait_for_receipt(source, drop["batch_id"], "read")
        body = receive_message(stack, "load")
    return drop["batch_id"], body


# ── dead letters ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dead_letter_is_listed_shown_and_redriven(stack: Stack, tmp_path: Path) -> None:
    source = "operator_redrive"
    stack.publish(contract(tmp_path, source))
    batch, body = lost_load_message(stack, tmp_path, source, 7)
    send_dead(stack, "load", body, "chunk_missing")

    [letter] = letters(stack, source)
    expected = {"queue": "load", "code": "chunk_missing", "batch_id": batch, "chunk": 1, "chunk_count": 1, "rows": 7}
    assert letter | expected == letter
    assert letter["reason"] == "a test: chunk_missing"
    assert letters(stack, source, "--code", "other") == []
    shown = stack.penstock("dead-letters", "show", letter["id"], "--queue", "load")
    assert (shown.status, "chunk 1 of 1" in shown.out, body in shown.out) == (0, True, False)
    assert stack.penstock("dead-letters", "show", letter["id"], "--body", "--json").json["body"] == body

    # Without a selection nothing is done; a dry run changes nothing.
    assert stack.penstock("dead-letters", "redrive").status == 64
    dry = stack.penstock("dead-letters", "redrive", "--batch", batch, "--dry-run", "--json")
    assert [one["redriven"] for one in dry.json["letters"]] == [False]
    assert [one["id"] for one in letters(stack, source)] == [letter["id"]]
    redriven = stack.penstock("dead-letters", "redrive", "--batch", batch)
    assert (redriven.status, "1 dead letters were redriven" in redriven.out) == (0, True), redriven.err
    stack.wait_for_receipt(source, batch, "loaded")
    assert letters(stack, source) == []
    assert stack.query(f"SELECT count(*) FROM public.{source}") == [(7,)]


def test_a_dead_letter_without_a_code_is_redriven(stack: Stack, tmp_path: Path) -> None:
    """EventBridge and SQS give no reason of ours."""
    source = "operator_event"
    stack.publish(contract(tmp_path, source))
    with paused(stack):
        drop = stack.drop_without_waiting(write(tmp_path, "rows.csv", numbered(3)), source)
        stack.send("drops-dead-letter", receive_message(stack, "drops"))
    [letter] = letters(stack, source, "--code", "none", "--queue", "drops")
    assert (letter["code"], letter["batch_id"]) == (None, None)
    assert letter["object"].endswith("/rows.csv")
    assert stack.penstock("dead-letters", "redrive", "--id", letter["id"], "--json").json["letters"][0]["redriven"]
    stack.wait_for_receipt(source, drop["batch_id"], "loaded")


def test_a_redrive_of_a_replaced_batch_is_refused(stack: Stack, tmp_path: Path) -> None:
    source = "operator_replaced"
    stack.publish(contract(tmp_path, source, overwrite="replace"))
    key = ("--key", "always.csv")
    with writer_paused(stack):
        first = stack.drop_without_waiting(write(tmp_path, "a.csv", numbered(4)), source, *key)
        stack.wait_for_receipt(source, first["batch_id"], "read")
        body = receive_message(stack, "load")
        stack.send("load", body)
    stack.wait_for_receipt(source, first["batch_id"], "loaded")
    stack.drop(write(tmp_path, "b.csv", numbered(2)), source, *key)
    stack.wait_for_receipt(source, first["batch_id"], "replaced")

    send_dead(stack, "load", body, "table_mismatch")
    refused = stack.penstock("dead-letters", "redrive", "--source", source)
    assert (refused.status, "was replaced by batch" in refused.out) == (2, True), refused.out
    [letter] = letters(stack, source)
    assert stack.penstock("republish", first["batch_id"]).status == 2

    dropped = stack.penstock("dead-letters", "drop", "--id", letter["id"], "--dry-run")
    assert "4 rows of chunk 1 of 1" in dropped.out
    assert len(letters(stack, source)) == 1
    assert stack.penstock("dead-letters", "drop", "--id", letter["id"]).status == 0
    assert letters(stack, source) == []
    assert stack.query(f"SELECT count(*) FROM public.{source}") == [(2,)]


def test_a_dead_letter_that_fails_again_is_redriven_once(stack: Stack) -> None:
    body = json.dumps({"operator": "not a load message"})
    stack.send("load-dead-letter", body)
    redrive = ("dead-letters", "redrive", "--queue", "load", "--all")
    done = stack.penstock(*redrive, "--json")
    assert (done.status, len(done.json["letters"])) == (0, 1), done.err

    def failed_again() -> list[str]:
        listed = stack.penstock("dead-letters", "list", "--code", "invalid_message", "--json").json["letters"]
        return [letter["id"] for letter in listed]

    [failed] = stack.wait(failed_again, "the message to be a dead letter again")
    assert stack.penstock(*redrive, "--id", failed).status == 64, "--all and a property exclude each other"
    assert stack.penstock("dead-letters", "drop", "--id", failed).status == 0
    assert failed_again() == []


# ── the ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_republish_sends_what_the_ledger_lacks(stack: Stack, tmp_path: Path) -> None:
    source = "operator_republish"
    stack.publish(contract(tmp_path, source))
    batch, _ = lost_load_message(stack, tmp_path, source, 5)
    dry = stack.penstock("republish", batch, "--dry-run", "--json")
    assert (dry.status, dry.json["chunks"]) == (0, [1]), dry.err
    assert stack.receipt(source, batch)["state"] == "read"  # type: ignore[index]
    sent = stack.penstock("republish", batch)
    assert (sent.status, "chunks 1 of 1 were sent" in sent.out) == (0, True), sent.err
    stack.wait_for_receipt(source, batch, "loaded")
    again = stack.penstock("republish", batch, "--json")
    assert (again.json["complete"], again.json["chunks"]) == (True, [])
    assert stack.query(f"SELECT count(*) FROM public.{source}") == [(5,)]


def test_republish_refuses_a_refused_batch(stack: Stack, tmp_path: Path) -> None:
    source = "operator_refused"
    stack.publish(contract(tmp_path, source))
    receipt = stack.drop(write(tmp_path, "bad.csv", [BAD]), source)
    refused = stack.penstock("republish", receipt["batch_id"])
    assert (refused.status, "too_many_rejects" in refused.out) == (2, True)
    unknown = stack.penstock("republish", "00000000-0000-5000-8000-000000000000")
    assert (unknown.status, "has no manifest" in unknown.err) == (64, True)


def test_reconcile_loads_again_what_a_restore_has_lost(stack: Stack, tmp_path: Path) -> None:
    source = "operator_restore"
    stack.publish(contract(tmp_path, source))
    first = stack.drop(write(tmp_path, "a.csv", numbered(3)), source)["batch_id"]
    second = stack.drop(write(tmp_path, "b.csv", numbered(4, first=11)), source)["batch_id"]
    reconcile = ("reconcile", "--since", "1h", "--source", source)
    assert stack.penstock(*reconcile, "--json").json["differences"] == []

    # The backup was made before the second batch was loaded, and while the first one was being closed.
    stack.query(f"DELETE FROM public.{source} WHERE id > 10 RETURNING 1")
    for table in ("chunk", "batch"):
        stack.query(f"DELETE FROM penstock.{table} WHERE batch_id = %s RETURNING 1", second)
    stack.query("UPDATE penstock.batch SET state = 'loading', closed_at = NULL WHERE batch_id = %s RETURNING 1", first)

    # A restore ends every session.
    stack.kill("writer")

    dry = stack.penstock(*reconcile, "--dry-run", "--json")
    assert dry.status == 0, dry.err
    found = {one["batch_id"]: (one["chunks"], one["difference"]) for one in dry.json["differences"]}
    assert found == {
        first: ([1], "every chunk is loaded, but the batch was not closed"),
        second: ([1], "the ledger lacks chunks 1 of 1"),
    }
    assert stack.query(f"SELECT count(*) FROM public.{source}") == [(3,)]
    done = stack.penstock(*reconcile)
    assert (done.status, "2 batches checked, 2 differ, 2 chunks were sent" in done.out) == (0, True), done.err
    closed = "SELECT count(*) FROM penstock.batch WHERE source = %s AND state = 'loaded' AND closed_at IS NOT NULL"
    stack.wait(lambda: stack.query(closed, source) == [(2,)], "both batches to be closed")
    assert stack.query(f"SELECT count(*) FROM public.{source}") == [(7,)]
    assert stack.penstock(*reconcile, "--json").json["differences"] == []


# ── receipts and rejects ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_receipt_is_found_by_its_batch_and_by_its_object(stack: Stack, tmp_path: Path) -> None:
    source = "operator_receipt"
    stack.publish(contract(tmp_path, source))
    receipt = stack.drop(write(tmp_path, "rows.csv", numbered(3)), source, "--key", "a/rows.csv")
    newer = stack.drop(write(tmp_path, "rows.csv", numbered(2)), source, "--key", "a/rows.csv")
    uri = f"s3://{stack.bucket('raw')}/{source}/a/rows.csv"
    version = receipt["drop"]["version_id"]
    for subject, options, expected in [
        (receipt["batch_id"], (), receipt),
        (f"{source}/a/rows.csv", (), newer),
        (uri, (), newer),
        (uri, ("--version-id", version), receipt),
    ]:
        found = stack.penstock("receipt", subject, "--json", *options)
        assert (found.status, found.json["batch_id"]) == (0, expected["batch_id"]), found.err
    every = stack.penstock("receipt", receipt["batch_id"], "--all", "--json").json
    assert [one["batch_id"] for one in every] == [receipt["batch_id"]]
    assert receipt["batch_id"] in stack.penstock("receipt", receipt["batch_id"]).out
    for subject in ("00000000-0000-5000-8000-000000000000", f"{source}/none.csv", "rows.csv"):
        assert stack.penstock("receipt", subject).status == 64, subject


def test_rejects_finds_the_source_and_prints_csv(stack: Stack, tmp_path: Path) -> None:
    source = "operator_rejects"
    stack.publish(contract(tmp_path, source))
    # The second field of the last row is a formula, and its first and third are no values of their types.
    bad = ("=1+1", "=cmd()", "never")
    receipt = stack.drop(write(tmp_path, "rows.csv", [*numbered(9), bad]), source)
    shown = stack.penstock("rejects", receipt["batch_id"], "--csv")
    assert shown.status == 0, shown.err
    lines = list(csv.DictReader(io.StringIO(shown.out)))
    assert [(line["row"], line["column"], line["found"]) for line in lines] == [
        ("10", "id", "'=1+1"),
        ("10", "updated_at", "never"),
    ]
    assert {line["raw"] for line in lines} == {"'=1+1,=cmd(),never"}
    [reject] = [json.loads(line) for line in stack.penstock("rejects", receipt["batch_id"], "--json").out.splitlines()]
    assert reject["raw"] == "=1+1,=cmd(),never"


def test_status_is_watched(stack: Stack) -> None:
    refused = stack.penstock("status", "--watch")
    assert (refused.status, "add --json" in refused.err) == (64, True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "AWS_"))}
    environment["PENSTOCK_STATE_DIR"] = str(stack.state_dir)
    command = [str(BINARIES / "penstock"), "status", "--watch", "--json", "--last", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        statuses = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=20) == 0
    assert [status.keys() for status in statuses] == [{"receipts", "queues", "writers"}] * 2


# ── replays and backfills ───────────────────────────────────────────────────────────────────────────────────────────


def claims(stack: Stack, source: str) -> list[str]:
    return sorted(key.rsplit("/", 1)[1] for key in stack.keys("processed", f"drops/{source}/"))


def test_a_replay_replaces_the_batch_under_the_current_contract(stack: Stack, tmp_path: Path) -> None:
    source = "operator_replay"
    stack.publish(contract(tmp_path, source))
    unnamed = (10, "", "2026-01-01T00:00:00Z")
    old = stack.drop(write(tmp_path, "rows.csv", [*numbered(9), unnamed]), source)
    assert (old["rows"]["loaded"], old["rows"]["rejected"]) == (9, 1)
    newer = contract(tmp_path, source, version="2.0.0")
    newer.write_text(newer.read_text().replace("logicalType: string\n        required: true", "logicalType: string"))
    stack.publish(newer)

    dry = stack.penstock("replay", old["batch_id"], "--dry-run", "--json")
    assert dry.status == 0, dry.err
    [planned] = dry.json["drops"]
    code = old["rejects_by_reason"][0]["code"]
    expected = {"before": "committed", "after": "committed", "rows_read": 10, "rejected": 0}
    assert planned["changes"] | expected == planned["changes"]
    assert (planned["changes"]["now_accepted"], planned["changes"]["now_rejected"]) == ({code: 1}, {})
    assert claims(stack, source) == ["00000.json"]

    done = stack.penstock("replay", old["batch_id"], "--wait", "--timeout", "60", "--json")
    assert done.status == 0, done.err
    [replayed] = done.json["drops"]
    receipt = replayed["receipt"]
    assert (receipt["state"], receipt["rows"]["loaded"], receipt["generation"]) == ("loaded", 10, 1)
    assert (receipt["batch_id"], receipt["contract_version"]) == (planned["batch_id"], "2.0.0")
    stack.wait_for_receipt(source, old["batch_id"], "replaced")
    assert stack.query(f"SELECT count(*), count(DISTINCT _batch_id) FROM public.{source}") == [(10, 1)]

    every = stack.penstock("receipt", f"{receipt['drop']['key']}", "--all", "--json").json
    assert [(one["batch_id"], one["state"]) for one in every] == [
        (old["batch_id"], "replaced"),
        (receipt["batch_id"], "loaded"),
    ]
    again = stack.penstock("replay", old["batch_id"])
    assert (again.status, f"replay {receipt['batch_id']}" in again.out) == (2, True)
    # A source is replayed under a version of the operator's choice.
    back = stack.penstock("replay", "--source", source, "--contract-version", "1.0.0", "--wait", "--json")
    [replayed] = back.json["drops"]
    assert (replayed["receipt"]["rows"]["loaded"], replayed["receipt"]["generation"]) == (9, 2)
    assert stack.query(f"SELECT count(*) FROM public.{source}") == [(9,)]


def test_a_replay_of_a_deleted_object_is_refused_before_a_claim_is_written(stack: Stack, tmp_path: Path) -> None:
    source = "operator_gone"
    stack.publish(contract(tmp_path, source))
    receipt = stack.drop(write(tmp_path, "rows.csv", numbered(3)), source)
    drop = receipt["drop"]
    stack.client("s3").delete_object(Bucket=drop["bucket"], Key=drop["key"], VersionId=drop["version_id"])
    refused = stack.penstock("replay", receipt["batch_id"], "--json")
    assert refused.status == 2, refused.err
    assert "no such object" in refused.json["drops"][0]["refused"]
    assert claims(stack, source) == ["00000.json"]
    assert stack.penstock("replay").status == 64


def test_a_replay_of_an_archived_object_is_refused_before_a_claim_is_written(stack: Stack, tmp_path: Path) -> None:
    source = "operator_archived"
    stack.publish(contract(tmp_path, source))
    body = write(tmp_path, "rows.csv", numbered(3)).read_bytes()
    key, bucket = f"{source}/rows.csv", stack.bucket("raw")
    stack.client("s3").put_object(Bucket=bucket, Key=key, Body=body, StorageClass="GLACIER")
    [receipt] = stack.wait(lambda: stack.receipts(source), "the receipt")
    stack.wait_for_receipt(source, receipt["batch_id"], "refused")
    refused = stack.penstock("replay", receipt["batch_id"])
    assert (refused.status, "is archived" in refused.out) == (2, True), refused.err
    assert claims(stack, source) == ["00000.json"]


def test_a_backfill_processes_what_was_never_received(stack: Stack, tmp_path: Path) -> None:
    source = "operator_backfill"
    old: list[Row] = [(number, f"old {number}", "2026-01-01T00:00:00Z") for number in range(1, 4)]
    objects: list[tuple[str, list[Row]]] = [
        ("a.csv", old),
        ("a.csv", numbered(3)),
        ("b.csv", numbered(2, first=11)),
        ("_SUCCESS", []),
    ]
    s3, bucket = stack.client("s3"), stack.bucket("raw")
    with paused(stack):
        for name, rows in objects:
            body = write(tmp_path, "rows.csv", rows).read_bytes()
            s3.put_object(Bucket=bucket, Key=f"{source}/old/{name}", Body=body)
            receive_message(stack, "drops")
    backfill = ("backfill", "--source", source)
    unpublished = stack.penstock(*backfill)
    assert (unpublished.status, "has no contract" in unpublished.err) == (64, True)
    stack.publish(contract(tmp_path, source))
    received = stack.drop(write(tmp_path, "rows.csv", numbered(1, first=21)), source)

    dry = stack.penstock(*backfill, "--prefix", "old/", "--dry-run", "--json")
    assert dry.status == 0, dry.err
    names = [drop["key"].rsplit("/", 1)[1] for drop in dry.json["drops"]]
    assert names == ["a.csv", "a.csv", "b.csv"]
    sequencers = [drop["sequencer"] for drop in dry.json["drops"][:2]]
    assert sequencers == sorted(set(sequencers))
    assert len(stack.receipts(source)) == 1
    sent = stack.penstock(*backfill)
    assert (sent.status, "3 files were sent" in sent.out) == (0, True), sent.err

    def all_loaded() -> bool:
        return [one["state"] for one in stack.receipts(source)] == ["loaded"] * 4

    stack.wait(all_loaded, "the backfilled files to be loaded")
    # The later version of a.csv wins.
    names = [name for (name,) in stack.query(f"SELECT name FROM public.{source} ORDER BY id")]
    assert names == ["name 1", "name 2", "name 3", "name 11", "name 12", "name 21"]
    assert stack.penstock(*backfill, "--json").json["drops"] == []
    assert stack.receipt(source, received["batch_id"])["state"] == "loaded"  # type: ignore[index]


def test_a_withdrawal_restores_the_rows_that_the_batch_replaced(stack: Stack, tmp_path: Path) -> None:
    source = "operator_withdraw"
    stack.publish(contract(tmp_path, source))
    stack.drop(write(tmp_path, "a.csv", numbered(3)), source)
    newer = [(number, f"newer {number}", "2026-01-02T00:00:00Z") for number in range(2, 6)]
    batch = stack.drop(write(tmp_path, "b.csv", newer), source)["batch_id"]
    dry = stack.penstock("withdraw", batch, "--dry-run", "--json")
    assert (dry.status, dry.json["deleted"]) == (0, 4), dry.err
    assert stack.query(f"SELECT count(*) FROM public.{source}") == [(5,)]
    done = stack.penstock("withdraw", batch)
    assert (done.status, "4 rows deleted, 2 rows of other batches restored" in done.out) == (0, True), done.err
    names = [name for (name,) in stack.query(f"SELECT name FROM public.{source} ORDER BY id")]
    assert names == ["name 1", "name 2", "name 3"]
    stack.wait_for_receipt(source, batch, "withdrawn")
    refused = stack.penstock("republish", batch)
    assert (refused.status, "was withdrawn" in refused.out) == (2, True)


def test_publish_warns_if_the_table_cannot_take_the_contract(stack: Stack, tmp_path: Path) -> None:
    source = "operator_table"
    path = contract(tmp_path, source)
    assert json.loads(stack.penstock("contract", "publish", path, "--json").out)[0]["warning"] is None
    stack.drop(write(tmp_path, "a.csv", numbered(3)), source)
    with stack.connect() as connection:
        connection.execute(f"ALTER TABLE public.{source} ALTER COLUMN name TYPE integer USING NULL".encode())
    newer = stack.penstock("contract", "publish", contract(tmp_path, source, version="1.0.1"), "--json")
    assert newer.status == 0, newer.err
    assert "the existing table cannot take the contract" in newer.json[0]["warning"]
    assert "name" in newer.json[0]["warning"]
