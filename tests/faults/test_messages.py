"""Messages that come twice, at once, or that no one can read."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from support import ledger
from support.files import contract, numbered, write
from support.stack import Stack


def load_message(stack: Stack, file: Path, source: str) -> tuple[dict[str, Any], str]:
    """Drops a file of one chunk and takes its message out of the load queue, before a writer sees it."""
    sqs, url = stack.client("sqs"), stack.queue("load")
    stack.wait_until_quiet()
    stack.control("mappings/writer/pause")
    try:
        drop = stack.drop_and_leave(file, source)

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
    """What Lambda hands to the writer for one message."""
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


def test_a_chunk_message_that_comes_again_changes_nothing(shaky: Stack, tmp_path: Path) -> None:
    shaky.publish(contract(tmp_path, "repeated"))
    rows = numbered(300)
    drop, body = load_message(shaky, write(tmp_path, "rows.csv", rows), "repeated")
    shaky.send("load", body)
    receipt = shaky.wait_for_receipt("repeated", drop["batch_id"], "loaded")
    state = "SELECT id, xmin::text, ctid::text FROM public.repeated ORDER BY 1"
    before = shaky.query(state)
    for _ in range(3):
        shaky.send("load", body)
    shaky.wait_until_quiet()
    ledger.check(shaky, receipt, rows)
    assert shaky.query(state) == before


def test_two_writers_at_once_on_one_chunk_load_it_once(shaky: Stack, tmp_path: Path) -> None:
    shaky.publish(contract(tmp_path, "contested"))
    shaky.drop(write(tmp_path, "first.csv", numbered(10)), "contested")
    rows = numbered(400, day=2)
    drop, body = load_message(shaky, write(tmp_path, "second.csv", rows), "contested")
    answers: list[Any] = []

    def invoke() -> None:
        answers.append(shaky.control("functions/writer/invoke", sqs_event(body)))

    with shaky.connect() as connection:
        with connection.transaction():
            connection.execute("LOCK TABLE public.contested IN SHARE MODE")
            writers = [threading.Thread(target=invoke) for _ in range(2)]
            for writer in writers:
                writer.start()
            # Both are in the middle of their transaction: one at the table, the other there or behind the first.
            shaky.wait(lambda: len(shaky.waiting_merges()) == 2, "two writers that wait")
        for writer in writers:
            writer.join(60)
    assert [answer["batchItemFailures"] for answer in answers] == [[], []]
    ledger.check(shaky, shaky.wait_for_receipt("contested", drop["batch_id"], "loaded"), rows)


def test_a_poison_message_goes_to_the_dead_letters_and_holds_nobody_up(shaky: Stack, tmp_path: Path) -> None:
    shaky.publish(contract(tmp_path, "poisoned"))
    rows = numbered(300)
    drop, body = load_message(shaky, write(tmp_path, "rows.csv", rows), "poisoned")
    changed = json.loads(body)
    changed["chunk"]["sha256"] = "0" * 64
    poison = ["not even JSON", json.dumps({"message_version": 0}), json.dumps(changed)]
    shaky.control("mappings/writer/pause")
    for message in [*poison, body]:
        shaky.send("load", message)
    shaky.control("mappings/writer/resume")
    receipt = shaky.wait_for_receipt("poisoned", drop["batch_id"], "loaded")
    letters = {letter.body: letter for letter in shaky.dead_letters("load", len(poison))}
    assert letters.keys() == set(poison)
    assert letters[poison[0]].code == letters[poison[1]].code == "invalid_message"
    assert letters[poison[2]].code == "checksum_mismatch"
    assert all(letter.message for letter in letters.values())
    ledger.check(shaky, receipt, rows)


def test_a_poison_event_goes_to_the_dead_letters_with_its_reason(shaky: Stack, tmp_path: Path) -> None:
    shaky.publish(contract(tmp_path, "beside"))
    shaky.send("drops", "hello")
    rows = numbered(20)
    receipt = shaky.drop(write(tmp_path, "rows.csv", rows), "beside")
    (letter,) = shaky.dead_letters("drops", 1)
    assert letter.body == "hello"
    assert letter.code == "invalid_event"
    assert letter.message
    ledger.check(shaky, receipt, rows)


def test_an_event_of_a_job_nobody_knows_goes_to_the_dead_letters(shaky: Stack) -> None:
    shaky.send("job-events", {"detail-type": "EMR Serverless Job Run State Change", "detail": {"state": 7}})
    (letter,) = shaky.dead_letters("job-events", 1)
    assert letter.code
    assert letter.message
