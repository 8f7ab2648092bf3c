"""Dead letters are moved back to their queue on the local stack as in AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.files import contract, numbered, write
from support.scenarios import paused, receive_message
from support.stack import Stack


def arn_of(stack: Stack, queue: str) -> str:
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=stack.queue(queue), AttributeNames=["QueueArn"])
    arn: str = attributes["Attributes"]["QueueArn"]
    return arn


@pytest.mark.parametrize("named", [True, False])
def test_a_dead_letter_is_processed_after_a_redrive(stack: Stack, tmp_path: Path, named: bool) -> None:
    source = f"redriven_{named}".lower()
    stack.publish(contract(tmp_path, source))
    with paused(stack):
        drop = stack.drop_without_waiting(write(tmp_path, "rows.csv", numbered(7)), source)
        stack.send("drops-dead-letter", receive_message(stack, "drops"))
        destination = {"DestinationArn": arn_of(stack, "drops")} if named else {}
        task = stack.client("sqs").start_message_move_task(SourceArn=arn_of(stack, "drops-dead-letter"), **destination)
        assert task["TaskHandle"]
    stack.wait_for_receipt(source, drop["batch_id"], "loaded")
    assert stack.query(f"SELECT count(*) FROM public.{source}") == [(7,)]
