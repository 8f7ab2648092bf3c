"""The local stack's S3 sends events and decides conditional writes as AWS does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.exceptions
import pytest

from support.stack import Stack

BUCKET = "observed-events"
QUEUE = "observed-events"


@pytest.fixture(scope="module")
def queue_url(stack: Stack) -> Iterator[str]:
    """A versioned bucket whose events EventBridge sends to this queue."""
    s3, sqs, events = stack.client("s3"), stack.client("sqs"), stack.client("events")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": stack.variables["AWS_REGION"]})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={"EventBridgeConfiguration": {}})
    url: str = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [BUCKET]}}}
    # Two rules: both receive the same event.
    for rule in ("observed-events", "observed-events-again"):
        events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    yield url
    for rule in ("observed-events", "observed-events-again"):
        events.remove_targets(Rule=rule, Ids=["queue"])
        events.delete_rule(Name=rule)
    sqs.delete_queue(QueueUrl=url)


def received(stack: Stack, url: str, count: int) -> list[dict[str, Any]]:
    sqs = stack.client("sqs")
    bodies: list[dict[str, Any]] = []

    def receive() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(bodies) >= count

    stack.wait(receive, f"{count} events")
    return bodies


def test_sequencers_increase_with_the_versions_and_times_are_those_of_the_objects(stack: Stack, queue_url: str) -> None:
    s3 = stack.client("s3")

    def put(number: int) -> str:
        version: str = s3.put_object(Bucket=BUCKET, Key="a/b", Body=str(number).encode())["VersionId"]
        return version

    with ThreadPoolExecutor(8) as pool:
        versions = set(pool.map(put, range(24)))
    listed = s3.list_object_versions(Bucket=BUCKET, Prefix="a/b")["Versions"]
    assert {version["VersionId"] for version in listed} == versions
    events = received(stack, queue_url, 48)
    sequencers = {event["detail"]["object"]["version-id"]: event["detail"]["object"]["sequencer"] for event in events}
    times = {event["detail"]["object"]["version-id"]: event["time"] for event in events}
    # The list is from the newest to the oldest version.
    in_order = [sequencers[version["VersionId"]] for version in reversed(listed)]
    assert in_order == sorted(set(in_order))
    assert {len(sequencer) for sequencer in in_order} == {18}
    assert times == {version["VersionId"]: f"{version['LastModified']:%Y-%m-%dT%H:%M:%SZ}" for version in listed}


def test_one_of_many_concurrent_conditional_writes_succeeds(stack: Stack) -> None:
    s3 = stack.client("s3")

    def put(number: int) -> bool:
        try:
            s3.put_object(Bucket=stack.bucket("processed"), Key="conditional", Body=str(number), IfNoneMatch="*")
        except botocore.exceptions.ClientError as error:
            return bool(error.response["Error"]["Code"] != "PreconditionFailed")
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(24))) == 1
