"""Scenarios that invoke the functions one by one, with the emulator or with `sam local invoke`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.files import contract, numbered, write
from support.stack import ROOT, Stack
from support.template import mappings, parsed

EVENTS = ROOT / "tests/events"
ROWS = 12
# The response of a function that has processed every message.
ALL_PROCESSED: dict[str, Any] = {"batchItemFailures": []}

Event = dict[str, Any]
# Invokes a function, given by the name of its binary, and returns its response.
Invoke = Callable[[str, Event], Any]
# A scenario with a source of its own.
Scenario = Callable[[Stack, Invoke, Path, str], None]


def sqs_event(body: str | Event) -> Event:
    """Returns the event with which Lambda invokes a function for one message: the stored event with another body."""
    event: Event = json.loads((EVENTS / "sqs-load-message.json").read_text())
    text = body if isinstance(body, str) else json.dumps(body)
    event["Records"][0] |= {"body": text, "md5OfBody": hashlib.md5(text.encode()).hexdigest()}
    return event


@contextmanager
def paused(stack: Stack) -> Iterator[None]:
    """Pauses the event source mappings of the stack, so that its own functions do not receive the messages."""
    names = [name for name, _, _ in mappings(parsed())]
    for name in names:
        stack.control(f"mappings/{name}/pause")
    try:
        yield
    finally:
        for name in names:
            stack.control(f"mappings/{name}/resume")


def receive_message(stack: Stack, queue: str) -> str:
    """Waits for a message of a queue, deletes it and returns its body."""
    sqs, url = stack.client("sqs"), stack.queue(queue)

    def receive() -> str | None:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            body: str = message["Body"]
            return body
        return None

    received: str = stack.wait(receive, f"a message in {queue}")
    return received


def load_a_drop(stack: Stack, invoke: Invoke, folder: Path, source: str) -> None:
    """`ingest` processes a drop, and `writer` applies its chunk."""
    stack.publish(contract(folder, source))
    with paused(stack):
        drop = stack.drop_without_waiting(write(folder, "rows.csv", numbered(ROWS)), source)
        expect_all_processed(invoke("ingest", sqs_event(receive_message(stack, "drops"))), "ingest")
        expect_state(stack, source, drop["batch_id"], "read")
        expect_all_processed(invoke("writer", sqs_event(receive_message(stack, "load"))), "writer")
        expect_state(stack, source, drop["batch_id"], "loaded")
    rows = stack.query(f"SELECT id, name FROM public.{source} ORDER BY id")
    assert rows == [(number, f"name {number}") for number in range(1, ROWS + 1)], rows


def report_a_failed_job(stack: Stack, invoke: Invoke, folder: Path, source: str) -> None:
    """`ingest` submits a Spark job, and `job-events` processes the event of its failure."""
    stack.control("jobs/outcome", {"outcome": "hold"})
    stack.publish(contract(folder, source, route="spark"))
    with paused(stack):
        drop = stack.drop_without_waiting(write(folder, "rows.csv", numbered(ROWS)), source)
        expect_all_processed(invoke("ingest", sqs_event(receive_message(stack, "drops"))), "ingest")
        expect_state(stack, source, drop["batch_id"], "submitted")
        event: Event = json.loads((EVENTS / "emr-job-failed-aws.json").read_text())
        event["detail"]["jobRunName"] = f"penstock/{source}/{drop['batch_id']}"
        expect_all_processed(invoke("job-events", sqs_event(event)), "job-events")
        expect_state(stack, source, drop["batch_id"], "failed")


def load_the_stored_message(stack: Stack, invoke: Invoke, folder: Path, _source: str) -> None:
    """`writer` applies the message in tests/events, whose batch is fixed, and closes its batch."""
    stack.publish(contract(folder, "example"))
    event: Event = json.loads((EVENTS / "sqs-load-message.json").read_text())
    message = json.loads(event["Records"][0]["body"])
    batch = message["batch_id"]
    stack.client("s3").put_object(
        Bucket=stack.bucket("processed"),
        Key=f"batches/{batch}/manifest.json",
        Body=json.dumps(manifest_of(stack, message)),
    )
    expect_all_processed(invoke("writer", event), "writer")
    rows = stack.query("SELECT id, name FROM public.example ORDER BY id")
    assert rows == [(number, f"name {number}") for number in (1, 2, 3)], rows
    expect_state(stack, "example", batch, "loaded")


def manifest_of(stack: Stack, message: Event) -> Event:
    """Returns the manifest of a batch with only this chunk."""
    rows = message["chunk"]["rows"]
    counts = {"rows_read": rows, "accepted": rows, "rejected": 0}
    sizes = {"bytes_read": 100, "bytes_decompressed": 100, "lines": rows + 1}
    return {
        "manifest_version": 1,
        "batch_id": message["batch_id"],
        "source": message["source"],
        "contract_version": message["contract_version"],
        "engine_version": "0.1.0",
        "drop": {
            "bucket": stack.bucket("raw"),
            "key": f"{message['source']}/rows.csv",
            "etag": "9a0364b9e99bb480dd25e1f0284c8555",
            "size_bytes": 100,
            "dropped_at": message["dropped_at"],
        },
        "state": {"committed": {"table": message["table"]}},
        "totals": {**counts, **sizes, "by_reason": []},
        "dialect": None,
        "chunks": [message["chunk"]],
        "parquet": [],
        "rejects": [],
        "seconds": {},
    }


def run_the_sentinel(stack: Stack, invoke: Invoke, folder: Path, source: str) -> None:
    """`sentinel` processes the event of its schedule, and reports a source that has just delivered."""
    stack.publish(contract(folder, source))
    stack.drop(write(folder, "rows.csv", numbered(ROWS)), source)
    response = invoke("sentinel", json.loads((EVENTS / "schedule-aws.json").read_text()))
    assert response["orphans_removed"] == 0, response
    report = next((entry for entry in response.get("sources", []) if entry["source"] == source), None)
    assert report is not None, f"sentinel responded with {response}, without {source}"
    assert 0 <= report.pop("seconds_since_drop") < 600, report
    assert report == {"source": source, "late": False, "missed_drops": 0, "stuck_batches": 0}, report


# Together they invoke every function.
SCENARIOS: list[Scenario] = [load_a_drop, report_a_failed_job, load_the_stored_message, run_the_sentinel]


def expect_all_processed(response: Any, function: str) -> None:
    """Asserts that a function has processed every message. The emulator responds to errors with status 200, too."""
    assert response == ALL_PROCESSED, f"{function} responded with {response}, expected {ALL_PROCESSED}"


def expect_state(stack: Stack, source: str, batch_id: str, state: str) -> None:
    receipt = stack.receipt(source, batch_id)
    assert receipt is not None, f"no receipt {source}/{batch_id}"
    assert receipt["state"] == state, f"the receipt of {source}/{batch_id} is {receipt['state']}, expected {state}"
