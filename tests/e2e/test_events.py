"""Events in every format that the drops queue receives, with keys that are easily decoded wrongly.

The objects are in a bucket that sends no events, so only the event under test refers to them.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.files import contract, numbered, write
from support.scenarios import paused, receive_message
from support.stack import Stack

KEYS = (
    "shapes/plain.csv",
    "shapes/a b.csv",
    "shapes/a+b.csv",
    "shapes/a%2Bb.csv",
    "shapes/ünï/日本.csv",
    "shapes/q=1&r='2'(3).csv",
)
Event = dict[str, Any]


def s3_notification(*objects: Event) -> Event:
    """Returns an event as S3 sends it to a queue, with form-encoded keys (spaces as `+`)."""
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "eu-central-1",
            "eventTime": "2026-03-01T12:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": one["bucket"], "arn": f"arn:aws:s3:::{one['bucket']}"},
                "object": {
                    "key": urllib.parse.quote_plus(one["key"], safe="/"),
                    "size": one["size"],
                    "eTag": one["etag"],
                    "sequencer": "0055AED6DCD90281E5",
                },
            },
        }
        for one in objects
    ]
    return {"Records": records}


def eventbridge(one: Event) -> Event:
    """Returns an event as EventBridge sends it, with unencoded keys."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:s3:::{one['bucket']}"],
        "detail": {
            "version": "0",
            "bucket": {"name": one["bucket"]},
            "object": {"key": one["key"], "size": one["size"], "etag": one["etag"], "sequencer": "00617F08299329D189"},
            "reason": "PutObject",
        },
    }


def put(stack: Stack, file: Path, key: str) -> Event:
    bucket, body = stack.bucket("artifacts"), file.read_bytes()
    stored = stack.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return {"bucket": bucket, "key": key, "size": len(body), "etag": stored["ETag"].strip('"')}


def wait_for_key(stack: Stack, source: str, key: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        done = (one for one in stack.receipts(source) if one["drop"]["key"] == key and one["state"] == "loaded")
        return next(done, None)

    receipt: dict[str, Any] = stack.wait(found, f"{key} to be loaded")
    return receipt


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("shape", [s3_notification, eventbridge])
def test_the_object_of_each_event_format_and_key_is_loaded(
    stack: Stack, tmp_path: Path, shape: Callable[[Event], Event], key: str
) -> None:
    stack.publish(contract(tmp_path, "shapes"))
    key = key.replace("shapes/", f"shapes/{shape.__name__}/")
    stack.send("drops", shape(put(stack, write(tmp_path, "rows.csv", numbered(7)), key)))
    assert wait_for_key(stack, "shapes", key)["rows"]["read"] == 7


def test_every_record_of_an_event_is_processed(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "records"))
    keys = [f"records/{number}.csv" for number in range(3)]
    files = [write(tmp_path, f"{number}.csv", numbered(5, first=5 * number)) for number in range(3)]
    stack.send("drops", s3_notification(*(put(stack, file, key) for file, key in zip(files, keys))))
    for key in keys:
        wait_for_key(stack, "records", key)
    assert stack.query("SELECT count(*) FROM public.records") == [(15,)]


def test_an_event_wrapped_by_sns_is_processed(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "wrapped"))
    event = s3_notification(put(stack, write(tmp_path, "rows.csv", numbered(4)), "wrapped/rows.csv"))
    stack.send("drops", {"Type": "Notification", "MessageId": "1", "TopicArn": "arn", "Message": json.dumps(event)})
    assert wait_for_key(stack, "wrapped", "wrapped/rows.csv")["rows"]["read"] == 4


def test_the_test_event_of_s3_is_ignored(stack: Stack) -> None:
    stack.send(
        "drops",
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": "2026-03-01T12:00:00.000Z",
            "Bucket": stack.bucket("raw"),
            "RequestId": "5582815E1AEA5ADF",
            "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
        },
    )
    stack.wait_until_quiet()
    letters = stack.client("sqs").receive_message(QueueUrl=stack.queue("drops-dead-letter"))
    assert "Messages" not in letters


def test_an_archived_object_is_refused_with_what_to_do(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "archived"))
    body = write(tmp_path, "rows.csv", numbered(3)).read_bytes()
    place = {"Bucket": stack.bucket("raw"), "Key": "archived/rows.csv"}
    stack.client("s3").put_object(**place, Body=body, StorageClass="GLACIER")
    stack.wait(lambda: [one for one in stack.receipts("archived") if one["state"] == "refused"], "the receipt")
    (receipt,) = stack.receipts("archived")
    assert receipt["refusal"]["code"] == "archived"
    assert "restore" in receipt["refusal"]["message"]


def test_an_event_without_a_size_is_not_empty(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "sizeless"))
    with paused(stack):
        drop = stack.drop_without_waiting(write(tmp_path, "rows.csv", numbered(3)), "sizeless")
        event = json.loads(receive_message(stack, "drops"))
        del event["detail"]["object"]["size"]
        stack.send("drops", event)
    assert stack.wait_for_receipt("sizeless", drop["batch_id"], "loaded")["rows"]["loaded"] == 3
