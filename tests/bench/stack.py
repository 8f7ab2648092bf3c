"""A local stack with release binaries, driven through the `penstock` command as a user would."""

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
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Dropped:
    """A file that was dropped: its batch, when its upload began and when it stood in S3 (seconds of the clock)."""

    batch_id: str
    began_at: float
    stood_at: float


class Stack:
    """A running local stack; leaving the context stops it."""

    def __init__(self, program: Path, root: Path, state_dir: Path) -> None:
        self._program, self._root, self._state_dir = program, root, state_dir
        self._variables: dict[str, str] = {}
        endpoints = json.loads(self._penstock("up", "--detach", "--json", "--state-dir", str(state_dir)))
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
        began_at = time.time()
        uploaded = json.loads(self._penstock("drop", str(feed), "--source", source, "--key", key, "--json"))
        return Dropped(uploaded["batch_id"], began_at, time.time())

    def wait_closed(self, batch_id: str) -> float:
        """The time at which the batch's last commit could be seen."""
        deadline = time.time() + PATIENCE_S
        with self.connect(autocommit=True) as connection:
            while time.time() < deadline:
                try:
                    found = connection.execute(
                        "SELECT balanced FROM penstock.batch WHERE batch_id = %s", (batch_id,)
                    ).fetchone()
                except psycopg.errors.UndefinedTable:
                    found = None  # The first writer makes the ledger.
                if found:
                    if not found[0]:
                        raise SystemExit(f"batch {batch_id} does not balance")
                    return time.time()
                time.sleep(POLL_S)
        raise SystemExit(f"batch {batch_id} is not loaded after {PATIENCE_S:.0f} s: see {self._state_dir}/logs")

    def status(self) -> dict[str, Any]:
        """What the runner tells of the functions."""
        with urllib.request.urlopen(f"{self._control_url}/status", timeout=10) as answer:
            status: dict[str, Any] = json.load(answer)
        return status

    def connect(self, autocommit: bool = False) -> psycopg.Connection[Any]:
        """A connection to the target database."""
        return psycopg.connect(self.database_url, autocommit=autocommit)
