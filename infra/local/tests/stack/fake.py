#!PYTHON
"""A function that uses the Runtime API and executes the instruction in each message's body."""

from __future__ import annotations

import http.client
import json
import os
import time
from email.message import Message
from typing import Any

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime/"
NOTES = os.path.join(os.environ["LAMBDA_TASK_ROOT"], "notes.ndjson")


def call(method: str, path: str, body: str | bytes | None = None) -> tuple[Message, bytes]:
    connection = http.client.HTTPConnection(API)
    connection.request(method, BASE + path, body)
    response = connection.getresponse()
    return response.headers, response.read()


def note(kind: str, value: Any) -> None:
    with open(NOTES, "a") as notes:
        notes.write(json.dumps({"kind": kind, "value": value, "pid": os.getpid(), "at": time.time()}) + "\n")


def handle(event: dict[str, Any]) -> str | bytes:
    failures = []
    for record in event.get("Records", []):
        body, message_id = record["body"], record["messageId"]
        if body == "crash":
            os._exit(3)
        if body.startswith("sleep "):
            time.sleep(float(body.split()[1]))
        if body == "error":
            raise ValueError("the message requests an error")
        if body == "malformed":
            return b"{"
        if body == "unknown id":
            return json.dumps({"batchItemFailures": [{"itemIdentifier": "nobody"}]})
        if body == "fail" or (body == "fail once" and record["attributes"]["ApproximateReceiveCount"] == "1"):
            failures.append({"itemIdentifier": message_id})
    return json.dumps({"batchItemFailures": failures})


if os.environ.get("FAKE_INIT") == "error":
    call("POST", "init/error", json.dumps({"errorMessage": "no database", "errorType": "Init"}))
    raise SystemExit(1)
note("init", dict(os.environ))
while True:
    headers, payload = call("GET", "invocation/next")
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(payload)
    note("event", {"headers": {name.lower(): value for name, value in headers.items()}, "event": event})
    try:
        call("POST", f"invocation/{request_id}/response", handle(event))
    except ValueError as error:
        call("POST", f"invocation/{request_id}/error", json.dumps({"errorMessage": str(error)}))
