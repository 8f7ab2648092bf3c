"""A local stack for the tests."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "infra/contracts"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
BINARIES = Path(os.environ.get("PENSTOCK_BINARIES") or TARGET / "debug")

Receipt = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """The result of a `penstock` command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class DeadLetter:
    """A message in a dead-letter queue."""

    body: str
    code: str | None
    message: str | None


class Stack:
    """A running stack, with the operations that tests need."""

    def __init__(self, state_dir: Path, endpoints: Mapping[str, Any]) -> None:
        self.state_dir = state_dir
        self.variables: dict[str, str] = dict(endpoints["variables"])
        self.database_url: str = endpoints["database_url"]
        self._control_url: str = endpoints["control_url"]

    @classmethod
    @contextlib.contextmanager
    def up(cls, state_dir: Path, *options: str) -> Iterator[Stack]:
        """Starts a stack in the background, and stops it at the end."""
        started = penstock(state_dir, "up", "--detach", "--json", "--fast-database", *options)
        assert started.status == 0, started.err
        try:
            yield cls(state_dir, started.json)
        finally:
            stopped = penstock(state_dir, "down")
            assert stopped.status == 0, stopped.err

    # ── the program ─────────────────────────────────────────────────────────────────────────────────────────────────

    def penstock(self, *arguments: str | Path) -> Finished:
        return penstock(self.state_dir, *arguments)

    def publish(self, *contracts: Path) -> None:
        published = self.penstock("contract", "publish", *contracts)
        assert published.status == 0, published.err

    def drop(self, file: Path, source: str, *options: str, timeout_s: int = 60) -> Receipt:
        """Drops a file and returns its final receipt."""
        options = ("--source", source, "--wait", "--timeout", str(timeout_s), "--json", *options)
        dropped = self.penstock("drop", file, *options)
        assert dropped.status in (0, 2, 3), f"{dropped.status}: {dropped.err}\n{self.log_ends()}"
        receipt: Receipt = dropped.json
        return receipt

    def drop_without_waiting(self, file: Path, source: str, *options: str) -> dict[str, Any]:
        """Drops a file and returns its batch id and key, without waiting for the receipt."""
        dropped = self.penstock("drop", file, "--source", source, "--json", *options)
        assert dropped.status == 0, dropped.err
        answer: dict[str, Any] = dropped.json
        return answer

    def rejects(self, receipt: Receipt) -> list[dict[str, Any]]:
        """Returns the rejected rows in the quarantine bucket."""
        shown = self.penstock("rejects", receipt["batch_id"], "--source", receipt["source"], "--json")
        assert shown.status == 0, shown.err
        return [json.loads(line) for line in shown.out.split("\n") if line]

    # ── AWS ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.variables["AWS_ENDPOINT_URL"],
            region_name=self.variables["AWS_REGION"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
        )

    def bucket(self, name: str) -> str:
        return self.variables[f"PENSTOCK_{name.upper()}_BUCKET"]

    def queue(self, name: str) -> str:
        return self.variables[f"PENSTOCK_{name.upper().replace('-', '_')}_QUEUE_URL"]

    def send(self, queue: str, body: str | Mapping[str, Any]) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.client("sqs").send_message(QueueUrl=self.queue(queue), MessageBody=text)

    def object(self, bucket: str, key: str) -> Any:
        """Returns a JSON object in S3, or `None` if it does not exist."""
        s3 = self.client("s3")
        try:
            return json.load(s3.get_object(Bucket=self.bucket(bucket), Key=key)["Body"])
        except s3.exceptions.NoSuchKey:
            return None

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket(bucket), Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def receipt(self, source: str, batch_id: str) -> Receipt | None:
        receipt: Receipt | None = self.object("processed", f"receipts/{source}/{batch_id}.json")
        return receipt

    def receipts(self, source: str) -> list[Receipt]:
        """Returns every receipt of a source."""
        return [self.object("processed", key) for key in self.keys("processed", f"receipts/{source}/")]

    def wait_for_receipt(self, source: str, batch_id: str, state: str, timeout_s: float = 60) -> Receipt:
        """Waits until the receipt has the state `state`, and returns it."""

        def found() -> Receipt | None:
            receipt = self.receipt(source, batch_id)
            return receipt if receipt and receipt["state"] == state else None

        receipt: Receipt = self.wait(found, f"receipt {source}/{batch_id} to be {state}", timeout_s)
        return receipt

    def dead_letters(self, queue: str, count: int, timeout_s: float = 60) -> list[DeadLetter]:
        """Waits for `count` dead letters, removes them from the queue and returns them."""
        sqs = self.client("sqs")
        url = self.queue(f"{queue}-dead-letter")
        letters: list[DeadLetter] = []

        def receive() -> bool:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            for message in answer.get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                attributes = message.get("MessageAttributes", {})
                code, text = (
                    attributes.get(f"penstock.reason.{part}", {}).get("StringValue") for part in ("code", "message")
                )
                letters.append(DeadLetter(message["Body"], code, text))
            return len(letters) >= count

        self.wait(receive, f"{count} dead letters of {queue}", timeout_s)
        return letters

    def wait_until_quiet(self, timeout_s: float = 60) -> None:
        """Waits until no message is queued or in progress."""

        def quiet() -> bool:
            queues: dict[str, dict[str, int]] = self.penstock("status", "--last", "0", "--json").json["queues"]
            return all(sum(depth.values()) == 0 for name, depth in queues.items() if "dead" not in name)

        self.wait(quiet, "the queues to be empty", timeout_s)

    # ── the runner and the database ─────────────────────────────────────────────────────────────────────────────────

    def control(self, path: str, body: Any = None, method: str = "POST") -> Any:
        """Calls the control API of the runner, which infra/local documents."""
        data = None if method == "GET" else json.dumps(body).encode() if body is not None else b""
        request = urllib.request.Request(f"{self._control_url}/{path}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from error

    def kill(self, function: str) -> list[int]:
        """Kills every process of a function with SIGKILL, and returns their ids."""
        killed: list[int] = self.control(f"functions/{function}/kill")["killed"]
        return killed

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database_url, autocommit=True)

    def query(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(text.encode(), values).fetchall()

    def waiting_merges(self) -> list[str]:
        """Returns the queries of the sessions that wait for a lock."""
        waiting = "wait_event_type = 'Lock' AND datname = current_database()"
        return [query for (query,) in self.query(f"SELECT query FROM pg_stat_activity WHERE {waiting}")]

    # ── waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def wait(self, condition: Any, what: str, timeout_s: float = 60) -> Any:
        """Calls `condition` until its result is true, and returns it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = condition()
            if answer:
                return answer
            time.sleep(0.05)
        raise AssertionError(f"waited {timeout_s} s for {what}\n{self.log_ends()}")

    def log_ends(self, lines: int = 6) -> str:
        """Returns the last lines of each function's log, without reports and metrics, for messages of failures."""
        ends = []
        for log in sorted((self.state_dir / "logs").glob("*.log")):
            if log.name not in ("moto.log", "postgres.log", "stack.log"):
                messages = (line for line in log.read_text(errors="replace").splitlines() if '"level"' in line)
                ends.append(f"── {log.name}\n" + "\n".join(list(messages)[-lines:]))
        return "\n".join(ends)


def penstock(state_dir: Path, *arguments: str | Path, cwd: Path = ROOT, stdin: bytes = b"") -> Finished:
    """Runs the program with the stack of `state_dir`."""
    # Variables of another stack must not be inherited.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PENSTOCK_", "AWS_"))}
    environment["PENSTOCK_STATE_DIR"] = str(state_dir)
    command = [str(BINARIES / "penstock"), *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=cwd, input=stdin, capture_output=True, timeout=180, check=False)
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())


def inline_body(message: Mapping[str, Any]) -> bytes:
    """Returns the bytes of a chunk that is sent in its message."""
    return base64.b64decode(message["chunk"]["body"]["inline"])
