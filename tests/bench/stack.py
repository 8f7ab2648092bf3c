"""A local stack with release binaries, used through the `penstock` command as by a user."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

POLL_S = 0.01
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Dropped:
    """A dropped file: its batch id, and the start and the end of its upload in seconds since 1970."""

    batch_id: str
    started_at: float
    uploaded_at: float


class Stack:
    """A running local stack, which is stopped at the end of the context."""

    def __init__(self, program: Path, root: Path, state_dir: Path, *options: str) -> None:
        self._program, self._root, self._state_dir = program, root, state_dir
        self._variables: dict[str, str] = {}
        endpoints = json.loads(self._penstock("up", "--detach", "--json", "--state-dir", str(state_dir), *options))
        self.database_url: str = endpoints["database_url"]
        self._control_url: str = endpoints["control_url"]
        self._variables = endpoints["variables"]
        with self.connect() as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        self.postmaster_pid = int((Path(row[0]) / "postmaster.pid").read_text().split("\n", 1)[0])

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run([self._program, "down", "--state-dir", self._state_dir], check=True, cwd=self._root)

    def _penstock(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._program, *arguments],
            cwd=self._root,
            env={**os.environ, **self._variables},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def publish(self, contract: Path) -> None:
        """Publishes a contract."""
        self._penstock("contract", "publish", str(contract))

    def drop(self, source: str, feed: Path, key: str) -> Dropped:
        """Uploads a file."""
        started_at = time.time()
        uploaded = json.loads(self._penstock("drop", str(feed), "--source", source, "--key", key, "--json"))
        return Dropped(uploaded["batch_id"], started_at, time.time())

    def wait_loaded(self, batch_id: str) -> float:
        """Waits until the batch's last commit is visible and returns the time."""
        deadline = time.time() + TIMEOUT_S
        with self.connect(autocommit=True) as connection:
            while time.time() < deadline:
                try:
                    found = connection.execute(
                        "SELECT balanced FROM penstock.batch WHERE batch_id = %s AND closed_at IS NOT NULL", (batch_id,)
                    ).fetchone()
                except psycopg.errors.UndefinedTable:
                    found = None  # The first writer creates the ledger.
                if found:
                    if not found[0]:
                        raise SystemExit(f"batch {batch_id} does not balance")
                    return time.time()
                time.sleep(POLL_S)
        raise SystemExit(f"batch {batch_id} is not loaded after {TIMEOUT_S:.0f} s: see {self._state_dir}/logs")

    def control(self, path: str) -> None:
        """Calls the control API of the runner, which infra/local documents."""
        request = urllib.request.Request(f"{self._control_url}/{path}", data=b"", method="POST")
        with urllib.request.urlopen(request, timeout=60):
            pass

    def shown(self) -> dict[str, Any]:
        """Returns the output of `penstock status`."""
        shown: dict[str, Any] = json.loads(self._penstock("status", "--json"))
        return shown

    def status(self) -> dict[str, Any]:
        """Returns the status of the runner."""
        with urllib.request.urlopen(f"{self._control_url}/status", timeout=10) as response:
            status: dict[str, Any] = json.load(response)
        return status

    def connect(self, autocommit: bool = False) -> psycopg.Connection[Any]:
        """Opens a connection to the target database."""
        return psycopg.connect(self.database_url, autocommit=autocommit)
