"""A stack for many runs: its functions connect through proxies, and a queue of the harness receives S3's events."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.model import Deploy
from faults.wire import Wire
from support.stack import ROOT, Stack

FUNCTIONS = ("ingest", "writer", "sentinel", "job-events")
TAP = "faults-tap"
DEFAULT_CHUNK_ROWS = 40
VISIBILITY_TIMEOUT_S = 4
# Drops without an event are missed at once, and nothing is stuck within a run.
# The sentinel removes objects that no manifest lists when they are older than this. Only at the end of a run, because
# an object is listed later than it is written.
ORPHAN_AFTER_S = 1
PARAMETERS = {"MissedAfterSeconds": "1", "LookbackSeconds": "172800", "StuckAfterSeconds": "86400"}


def previous_binaries() -> Path | None:
    """Returns the folder with the binaries of the previous release, which `PENSTOCK_PREVIOUS_BINARIES` names."""
    folder = os.environ.get("PENSTOCK_PREVIOUS_BINARIES")
    if not folder:
        return None
    path = Path(folder).absolute()
    assert (path / "ingest").is_file(), f"PENSTOCK_PREVIOUS_BINARIES: there is no {path / 'ingest'}"
    return path


class Site:
    """The stack with its proxies. One run at a time."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.s3, self.sqs = stack.client("s3"), stack.client("sqs")
        port = int(stack.query("SHOW port")[0][0])
        self.wire = Wire(stack.variables["AWS_ENDPOINT_URL"], port, FUNCTIONS)
        self.skew_library = build_skew_library(folder)
        self.previous = previous_binaries()
        self.tap_url = self._tap_events()
        self.deploy_current()

    @classmethod
    @contextlib.contextmanager
    def up(cls, folder: Path) -> Iterator[Site]:
        parameters = [text for name, value in PARAMETERS.items() for text in ("--parameter", f"{name}={value}")]
        with Stack.up(folder / "state", *parameters, "--visibility-timeout", str(VISIBILITY_TIMEOUT_S)) as stack:
            site = cls(stack, folder)
            try:
                yield site
            finally:
                site.wire.close()

    def _tap_events(self) -> str:
        """Sends the events of the raw bucket to a queue of the harness, which delivers them as the plan says."""
        events = self.stack.client("events")
        (rule,) = (rule["Name"] for rule in events.list_rules()["Rules"] if rule["Name"].endswith("-drops"))
        url: str = self.sqs.create_queue(QueueName=TAP)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.remove_targets(
            Rule=rule, Ids=[target["Id"] for target in events.list_targets_by_rule(Rule=rule)["Targets"]]
        )
        events.put_targets(Rule=rule, Targets=[{"Id": "tap", "Arn": arn}])
        return url

    # ── deployments ─────────────────────────────────────────────────────────────────────────────────────────────────

    def deploy_current(self, chunk_rows: int = DEFAULT_CHUNK_ROWS) -> None:
        """Deploys the current release of every function with the run's configuration."""
        for function in FUNCTIONS:
            self._deploy(function, {}, chunk_rows)

    def deploy(self, deploy: Deploy, chunk_rows: int) -> None:
        for function in deploy.functions:
            variables: dict[str, str] = {}
            if deploy.skew_s and self.skew_library:
                variables = {"LD_PRELOAD": str(self.skew_library), "FAULTS_SKEW_S": str(deploy.skew_s)}
            folder = self.previous if deploy.previous else None
            self._deploy(function, variables, deploy.chunk_rows or chunk_rows, folder)

    def _deploy(self, function: str, variables: dict[str, str], chunk_rows: int, folder: Path | None = None) -> None:
        wired = {"AWS_ENDPOINT_URL": self.wire.url(function), "TMPDIR": str(self.temporary)}
        # A function refuses a variable that it does not know.
        if function == "ingest":
            wired["PENSTOCK_CHUNK_ROWS"] = str(chunk_rows)
        if function == "writer":
            wired["PENSTOCK_DATABASE_PORT"] = str(self.wire.writer_database_port)
        body: dict[str, Any] = {"variables": wired | variables}
        if folder:
            body["functions_dir"] = str(folder)
        self.stack.control(f"functions/{function}/deploy", body)

    def sweep(self) -> None:
        """Lets the sentinel remove orphans that are a second old."""
        if removes_orphans():
            self._deploy("sentinel", {"PENSTOCK_ORPHAN_AFTER_SECONDS": str(ORPHAN_AFTER_S)}, DEFAULT_CHUNK_ROWS)
            time.sleep(ORPHAN_AFTER_S + 0.05)
            self.stack.control("schedules/sentinel/run")

    # ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def environments(self, function: str) -> list[dict[str, Any]]:
        status = self.stack.control("status", method="GET")
        environments: list[dict[str, Any]] = status["functions"][function]["environments"]
        return environments

    def signal(self, function: str, number: signal.Signals) -> list[int]:
        """Sends a signal to every process of a function. Returns those that exist."""
        pids = [environment["pid"] for environment in self.environments(function)]
        sent = []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
                sent.append(pid)
        return sent

    def depths(self) -> dict[str, int]:
        """Returns the number of messages of each queue, in whatever state."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        depths = {}
        for queue in ("drops", "load", "job-events"):
            for name in (queue, f"{queue}-dead-letter"):
                url = self.stack.queue(name)
                attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
                depths[name] = sum(int(attributes[name]) for name in names)
        return depths

    def empty(self, name: str, prefix: str = "") -> None:
        """Deletes all versions of all objects."""
        bucket = self.stack.bucket(name)
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
            if objects:
                self.s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})

    def tapped(self) -> list[dict[str, Any]]:
        """Returns events that S3 has sent since the last call."""
        answer = self.sqs.receive_message(QueueUrl=self.tap_url, MaxNumberOfMessages=10)
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.tap_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


def removes_orphans() -> bool:
    """Returns whether the sentinel of this checkout removes orphans."""
    return "PENSTOCK_ORPHAN_AFTER_SECONDS" in (ROOT / "template.yaml").read_text()


def build_skew_library(folder: Path) -> Path | None:
    """Compiles the library that moves a process's clock. Returns `None` if there is no compiler."""
    library = folder / "clock_skew.so"
    source = Path(__file__).with_name("clock_skew.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return library


def new_folder(parent: Path | None = None) -> Path:
    """Returns a folder that the account of PostgreSQL can access."""
    folder = Path(tempfile.mkdtemp(prefix="penstock-faults-", dir=parent or "/var/tmp"))
    folder.chmod(0o755)
    return folder
