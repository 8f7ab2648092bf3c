"""Messages that are redelivered, processed concurrently or invalid."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from support import ledger
from support.files import contract, numbered, write
from support.stack import Stack


def load_message(stack: Stack, file: Path, source: str) -> tuple[dict[str, Any], str]:
    """Drops a file of one chunk and removes its message from the load queue before the writer receives it."""
    sqs, url = stack.client("sqs"), stack.queue("load")
    stack.wait_until_quiet()
    stack.control("mappings/writer/pause")
    try:
        drop = stack.drop_without_waiting(file, source)

        def receive() -> str | None:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                body: str = message["Body"]
                return body
            return None

        body = stack.wait(receive, "the message of the chunk")
    finally:
        stack.control("mappings/writer/resume")
    return drop, body


def sqs_event(body: str) -> dict[str, Any]:
    """Returns the event with which Lambda invokes the writer for one message."""
    record = {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "none",
        "body": body,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:load",
        "awsRegion": "eu-central-1",
    }
    return {"Records": [record]}


def test_a_redelivered_chunk_changes_nothing(faulty: Stack, tmp_path: Path) -> None:
    faulty.publish(contract(tmp_path, "repeated"))
    rows = numbered(300)
    drop, body = load_message(faulty, write(tmp_path, "rows.csv", rows), "repeated")
    faulty.send("load", body)
    receipt = faulty.wait_for_receipt("repeated", drop["batch_id"], "loaded")
    state = "SELECT id, xmin::text, ctid::text FROM public.repeated ORDER BY 1"
    before = faulty.query(state)
    for _ in range(3):
        faulty.send("load", body)
    faulty.wait_until_quiet()
    ledger.check(faulty, receipt, rows)
    assert faulty.query(state) == before


def test_two_concurrent_writers_load_a_chunk_once(faulty: Stack, tmp_path: Path) -> None:
    faulty.publish(contract(tmp_path, "contested"))
    faulty.drop(write(tmp_path, "first.csv", numbered(10)), "contested")
    rows = numbered(400, day=2)
    drop, body = load_message(faulty, write(tmp_path, "second.csv", rows), "contested")
    answers: list[Any] = []

    def invoke() -> None:
        answers.append(faulty.control("functions/writer/invoke", sqs_event(body)))

    with faulty.connect() as connection:
        with connection.transaction():
            connection.execute("LOCK TABLE public.contested IN SHARE MODE")
            writers = [threading.Thread(target=invoke) for _ in range(2)]
            for writer in writers:
                writer.start()
            # Both transactions wait, for the table or for each other.
            faulty.wait(lambda: len(faulty.waiting_merges()) == 2, "two waiting writers")
        for writer in writers:
            writer.join(60)
    assert [answer["batchItemFailures"] for answer in answers] == [[], []]
    ledger.check(faulty, faulty.wait_for_receipt("contested", drop["batch_id"], "loaded"), rows)


def test_an_invalid_message_goes_to_the_dead_letter_queue_and_delays_no_other(faulty: Stack, tmp_path: Path) -> None:
    faulty.publish(contract(tmp_path, "poisoned"))
    rows = numbered(300)
    drop, body = load_message(faulty, write(tmp_path, "rows.csv", rows), "poisoned")
    changed = json.loads(body)
    changed["chunk"]["sha256"] = "0" * 64
    invalid = ["not even JSON", json.dumps({"message_version": 0}), json.dumps(changed)]
    faulty.control("mappings/writer/pause")
    for message in [*invalid, body]:
        faulty.send("load", message)
    faulty.control("mappings/writer/resume")
    receipt = faulty.wait_for_receipt("poisoned", drop["batch_id"], "loaded")
    letters = {letter.body: letter for letter in faulty.dead_letters("load", len(invalid))}
    assert letters.keys() == set(invalid)
    assert letters[invalid[0]].code == letters[invalid[1]].code == "invalid_message"
    assert letters[invalid[2]].code == "checksum_mismatch"
    assert all(letter.message for letter in letters.values())
    ledger.check(faulty, receipt, rows)


def test_an_invalid_event_goes_to_the_dead_letter_queue_with_its_reason(faulty: Stack, tmp_path: Path) -> None:
    faulty.publish(contract(tmp_path, "beside"))
    faulty.send("drops", "hello")
    rows = numbered(20)
    receipt = faulty.drop(write(tmp_path, "rows.csv", rows), "beside")
    (letter,) = faulty.dead_letters("drops", 1)
    assert letter.body == "hello"
    assert letter.code == "invalid_event"
    assert letter.message
    ledger.check(faulty, receipt, rows)


def test_an_invalid_job_event_goes_to_the_dead_letter_queue(faulty: Stack) -> None:
    faulty.send("job-events", {"detail-type": "EMR Serverless Job Run State Change", "detail": {"state": 7}})
    (letter,) = faulty.dead_letters("job-events", 1)
    assert letter.code
    assert letter.message
