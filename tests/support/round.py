"""One round through every function, each invoked by hand: by the emulator, or by `sam local invoke`."""

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
# What a function answers that has taken every message.
TAKEN: dict[str, Any] = {"batchItemFailures": []}

Event = dict[str, Any]
# Invokes a function, named by its binary, and gives its answer.
Invoke = Callable[[str, Event], Any]


def sqs_event(body: str | Event) -> Event:
    """What Lambda hands to a function for one message: the stored event with another body."""
    event: Event = json.loads((EVENTS / "sqs-load-message.json").read_text())
    text = body if isinstance(body, str) else json.dumps(body)
    event["Records"][0] |= {"body": text, "md5OfBody": hashlib.md5(text.encode()).hexdigest()}
    return event


@contextmanager
def paused(stack: Stack) -> Iterator[None]:
    """The stack's own functions leave the queues alone meanwhile."""
    names = [name for name, _, _ in mappings(parsed())]
    for name in names:
        stack.control(f"mappings/{name}/pause")
    try:
        yield
    finally:
        for name in names:
            stack.control(f"mappings/{name}/resume")


def take_message(stack: Stack, queue: str) -> str:
    """The next message of a queue, which is then no longer there."""
    sqs, url = stack.client("sqs"), stack.queue(queue)

    def receive() -> str | None:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=1).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            body: str = message["Body"]
            return body
        return None

    taken: str = stack.wait(receive, f"a message in {queue}")
    return taken


def load_a_drop(stack: Stack, invoke: Invoke, folder: Path, source: str) -> None:
    """`ingest` reads a drop, `writer` applies the load message that came of it."""
    stack.publish(contract(folder, source))
    with paused(stack):
        drop = stack.drop_and_leave(write(folder, "rows.csv", numbered(ROWS)), source)
        expect(invoke("ingest", sqs_event(take_message(stack, "drops"))), "ingest")
        expect_state(stack, source, drop["batch_id"], "loading")
        expect(invoke("writer", sqs_event(take_message(stack, "load"))), "writer")
        expect_state(stack, source, drop["batch_id"], "loaded")
    rows = stack.query(f"SELECT id, name FROM public.{source} ORDER BY id")
    assert rows == [(number, f"name {number}") for number in range(1, ROWS + 1)], rows


def tell_of_a_failed_job(stack: Stack, invoke: Invoke, folder: Path, source: str) -> None:
    """`ingest` submits a Spark job, `job-events` takes the event of its failure."""
    stack.control("jobs/outcome", {"outcome": "hold"})
    stack.publish(contract(folder, source, route="spark"))
    with paused(stack):
        drop = stack.drop_and_leave(write(folder, "rows.csv", numbered(ROWS)), source)
        expect(invoke("ingest", sqs_event(take_message(stack, "drops"))), "ingest")
        expect_state(stack, source, drop["batch_id"], "submitted")
        event: Event = json.loads((EVENTS / "emr-job-failed-aws.json").read_text())
        event["detail"]["jobRunName"] = f"penstock/{source}/{drop['batch_id']}"
        expect(invoke("job-events", sqs_event(event)), "job-events")
        expect_state(stack, source, drop["batch_id"], "failed")


def load_the_stored_message(stack: Stack, invoke: Invoke, folder: Path) -> None:
    """`writer` applies the example of tests/events as it stands there. Nothing was dropped, so the batch stays open."""
    stack.publish(contract(folder, "example"))
    event: Event = json.loads((EVENTS / "sqs-load-message.json").read_text())
    expect(invoke("writer", event), "writer")
    rows = stack.query("SELECT id, name FROM public.example ORDER BY id")
    assert rows == [(number, f"name {number}") for number in (1, 2, 3)], rows
    codes = [letter.code for letter in stack.dead_letters("load", 1)]
    assert codes == ["manifest_missing"], codes


def look_for_what_did_not_happen(stack: Stack, invoke: Invoke, folder: Path, source: str) -> None:
    """`sentinel` takes the event of its schedule, and tells of a source that has just delivered."""
    stack.publish(contract(folder, source))
    stack.drop(write(folder, "rows.csv", numbered(ROWS)), source)
    answer = invoke("sentinel", json.loads((EVENTS / "schedule-aws.json").read_text()))
    seen = next((one for one in answer.get("sources", []) if one["source"] == source), None)
    assert seen is not None, f"sentinel answered {answer}, without {source}"
    assert 0 <= seen.pop("seconds_since_drop") < 600, seen
    assert seen == {"source": source, "late": False, "missed_drops": 0, "stuck_batches": 0}, seen


def expect(answer: Any, function: str) -> None:
    """The emulator answers a handler's error with 200, too: only the body tells."""
    assert answer == TAKEN, f"{function} answered {answer}, expected {TAKEN}"


def expect_state(stack: Stack, source: str, batch_id: str, state: str) -> None:
    receipt = stack.receipt(source, batch_id)
    assert receipt is not None, f"no receipt of {source}/{batch_id}"
    assert receipt["state"] == state, f"the receipt of {source}/{batch_id} is {receipt['state']}, expected {state}"
