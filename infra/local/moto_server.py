"""The moto server, with fixes for what moto 5.2 does differently from AWS, and the redrive of SQS.

| AWS | moto |
|---|---|
| one event when a multipart upload is completed | two, the first as if by `PutObject` |
| the sequencers of a key's events increase | one sequencer for all events |
| the time of an event is that of its object | the time at which the event is sent |
| of two concurrent writes with `If-None-Match: *`, one succeeds | both may succeed, and one version may be lost |
| versions of a key are listed from the newest to the oldest | those of one millisecond are in the reverse order |
| a message that is sent while another one is deleted is in the queue | it may be lost |
| sending and receiving do not depend on the depth of the queue | with 1,000 messages, a message takes 0.2 s to send |
"""

from __future__ import annotations

import functools
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

from moto.core.responses import ActionResult
from moto.core.utils import unix_time
from moto.events.models import Rule
from moto.s3 import notifications
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response
from moto.server import main
from moto.sqs import models as sqs_models
from moto.sqs.exceptions import ReceiptHandleIsInvalid
from moto.sqs.models import Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse

# Held for a whole write: its condition, the new version, and its event.
WRITE = threading.RLock()
# 18 hexadecimal digits, as in S3's events.
SEQUENCERS = itertools.count(0x0055AED6DCD90281E5)
MOTO_SEQUENCER = "617f08299329d189"
# The messages that were received and not deleted, by receipt handle.
BY_HANDLE: dict[str, Message] = {}
# Whether the current thread counts messages.
COUNTING = threading.local()
# The object of the event that the current thread sends.
DESCRIBED = threading.local()


def exclusive(write: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `write` as a function of which one call runs at a time."""

    @functools.wraps(write)
    def exclusive_write(*args: Any, **kwargs: Any) -> Any:
        with WRITE:
            return write(*args, **kwargs)

    return exclusive_write


def with_fixes(put_object: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `put_object` without an event for a multipart upload, whose caller sends one when it is completed."""

    @functools.wraps(put_object)
    def fixed(self: S3Backend, bucket_name: str, key_name: str, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("multipart") is not None:
            kwargs["disable_notification"] = True
        if self.get_bucket(bucket_name).keys.getlist(key_name, []):
            # moto lists the versions of a key by their time in milliseconds.
            time.sleep(0.001)
        return put_object(self, bucket_name, key_name, *args, **kwargs)

    return fixed


def of_object(send_event: Callable[..., None]) -> Callable[..., None]:
    """Returns `send_event`, which records for the rules the object that its event describes."""

    @functools.wraps(send_event)
    def send(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
        DESCRIBED.key = key
        send_event(account_id, bucket, event_name, key)

    return send


def with_event_of_object(send_to_targets: Callable[..., None]) -> Callable[..., None]:
    """Returns `send_to_targets`, which each rule calls with the same event, with the sequencer and the time set."""

    @functools.wraps(send_to_targets)
    def send(self: Rule, event: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        if event.get("source") == "aws.s3":
            event["time"] = unix_time(DESCRIBED.key.last_modified)
            described = event["detail"]["object"]
            if described.get("sequencer") == MOTO_SEQUENCER:
                described["sequencer"] = f"{next(SEQUENCERS):018X}"
        send_to_targets(self, event, *args, **kwargs)

    return send


def start_message_move_task(self: SQSResponse) -> ActionResult:
    """Moves the messages of a dead-letter queue, at once instead of in the background."""
    queues = self.sqs_backend.queues.values()
    source_arn, destination_arn = self._get_param("SourceArn"), self._get_param("DestinationArn")
    source: Queue = next(queue for queue in queues if queue.queue_arn == source_arn)

    def is_destination(queue: Queue) -> bool:
        # Without a destination, messages return to the queue whose dead-letter queue the source is.
        return queue.queue_arn == destination_arn if destination_arn else queue.dead_letter_queue is source

    destination = next(queue for queue in queues if is_destination(queue))
    for message in [message for message in source._messages if message.visible]:
        with source._messages_lock:
            source._messages.remove(message)
        attributes = message.message_attributes
        self.sqs_backend.send_message(destination.name, message.body, message_attributes=attributes)
    return ActionResult({"TaskHandle": f"{source.name}-{time.time_ns()}"})


def unix_time_millis() -> float:
    """Replaces moto's function, which takes 12 microseconds and is called several times for each message."""
    return time.time() * 1000


class VisibleMessages:
    """The messages of a queue that can be received, without a look at more of them than are requested."""

    def __init__(self, queue: Queue) -> None:
        self._messages = list(queue._messages)

    def __iter__(self) -> Iterator[Message]:
        return (message for message in self._messages if message.visible and not message.delayed)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return any(True for _ in self)


def recorded(mark_received: Callable[..., None]) -> Callable[..., None]:
    """Returns `mark_received`, which gives a message another receipt handle, and records whose handle it is."""

    @functools.wraps(mark_received)
    def mark(self: Message, *args: Any, **kwargs: Any) -> None:
        mark_received(self, *args, **kwargs)
        BY_HANDLE[str(self.receipt_handle)] = self

    return mark


def delete_message(self: Queue, receipt_handle: str) -> None:
    """Deletes a message under the lock with which messages are added."""
    if receipt_handle in self.deleted_messages:
        return
    with self._messages_lock:
        message = BY_HANDLE.get(receipt_handle)
        if message is None or message not in self._messages:
            raise ReceiptHandleIsInvalid()
        self._messages.remove(message)
        self.pending_messages.discard(message)
        for handle in message.all_receipt_handles:
            self.deleted_messages.add(str(handle))
            BY_HANDLE.pop(str(handle), None)


def without_counts(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `operation`, which reads all attributes of the queue, without counting its messages."""

    @functools.wraps(operation)
    def operate(*args: Any, **kwargs: Any) -> Any:
        COUNTING.is_off = True
        try:
            return operation(*args, **kwargs)
        finally:
            COUNTING.is_off = False

    return operate


def countable(count: property) -> property:
    """Returns the property `count`, which is 0 within the operations that do not need it."""

    def counted(self: Queue) -> int:
        if getattr(COUNTING, "is_off", False):
            return 0
        number: int = count.__get__(self)
        return number

    return property(counted)


S3Response.put_object = exclusive(S3Response.put_object)  # type: ignore[method-assign]
S3Backend.put_object = with_fixes(S3Backend.put_object)  # type: ignore[method-assign]
S3Backend.copy_object = exclusive(S3Backend.copy_object)  # type: ignore[method-assign]
S3Backend.complete_multipart_upload = exclusive(S3Backend.complete_multipart_upload)  # type: ignore[method-assign]
notifications._send_event_bridge_message = of_object(notifications._send_event_bridge_message)
Rule.send_to_targets = with_event_of_object(Rule.send_to_targets)  # type: ignore[method-assign]
SQSResponse.start_message_move_task = start_message_move_task  # type: ignore[attr-defined]
sqs_models.unix_time_millis = unix_time_millis  # type: ignore[assignment, attr-defined]
Queue.delete_message = delete_message  # type: ignore[method-assign]
Queue.messages = property(VisibleMessages)  # type: ignore[assignment]
Message.mark_received = recorded(Message.mark_received)  # type: ignore[method-assign]
SQSBackend.receive_message = without_counts(SQSBackend.receive_message)  # type: ignore[method-assign]
SQSBackend.send_message = without_counts(SQSBackend.send_message)  # type: ignore[method-assign]
for name in ("", "_delayed", "_not_visible"):
    name = f"approximate_number_of_messages{name}"
    setattr(Queue, name, countable(getattr(Queue, name)))

if __name__ == "__main__":
    main(sys.argv[1:])
