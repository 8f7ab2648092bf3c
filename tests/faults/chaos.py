"""Performs faults at their times, and ends all of them at the end of a phase."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import Callable

import psycopg

from faults.model import Fault, FaultKind
from faults.site import Site
from faults.wire import Request, Trap

WRITER_WAIT_S = 5.0
WAITING_WRITERS = """
SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT%%' AND datname = %s LIMIT 1
"""
DISK_FULL = """
CREATE OR REPLACE FUNCTION public.faults_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE OR REPLACE TRIGGER faults_disk_full BEFORE INSERT ON penstock.chunk
FOR EACH ROW EXECUTE FUNCTION public.faults_disk_full();
"""


def is_put(request: Request, *parts: str) -> bool:
    return request.method == "PUT" and any(part in request.path.split("?")[0] for part in parts)


# The requests at which a function is killed, by the names in `faultplan.CRITICAL_REQUESTS`.
REQUESTS: dict[str, Callable[[Request], bool]] = {
    "ingest claim": lambda request: is_put(request, "/drops/", "/objects/"),
    "ingest manifest": lambda request: is_put(request, "/manifest.json"),
    "ingest receipt": lambda request: is_put(request, "/receipts/"),
    "ingest chunk": lambda request: is_put(request, "/chunks/"),
    "ingest published": lambda request: is_put(request, "/published.json"),
    "ingest chunks sent": lambda request: request.target == "AmazonSQS.SendMessageBatch",
    "writer receipt": lambda request: is_put(request, "/receipts/"),
    "writer delay": lambda request: request.target == "AmazonSQS.ChangeMessageVisibility",
}


class Chaos:
    """The faults of one phase, each in a thread of its own."""

    def __init__(self, site: Site, faults: tuple[Fault, ...]) -> None:
        self.site, self.faults = site, faults
        self.errors: list[BaseException] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._perform, args=(fault,), daemon=True) for fault in faults]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Waits until each fault has begun and lasted, then ends all of them."""
        longest = max((fault.at_s + self._lasts(fault) for fault in self.faults), default=0)
        deadline = time.monotonic() + longest
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._ended.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a fault does not end"
        wire = self.site.wire
        wire.faults.clear()
        wire.database_silent_until = 0.0
        if self.errors:
            raise self.errors[0]

    @staticmethod
    def _lasts(fault: Fault) -> float:
        if fault.kind in (FaultKind.LOCKED_TABLE, FaultKind.DEADLOCK):
            return fault.seconds + WRITER_WAIT_S
        # A trap springs when its request occurs, or never.
        return 1.0 if fault.kind is FaultKind.KILL_AT_REQUEST else fault.seconds

    def _perform(self, fault: Fault) -> None:
        try:
            if not self._ended.wait(fault.at_s):
                self._begin(fault)
        except BaseException as error:
            self.errors.append(error)

    def _begin(self, fault: Fault) -> None:
        stack, wire = self.site.stack, self.site.wire
        until = time.monotonic() + fault.seconds
        if fault.kind is FaultKind.KILL:
            stack.kill(fault.target)
        elif fault.kind is FaultKind.FREEZE:
            self._freeze(fault)
        elif fault.kind is FaultKind.KILL_AT_REQUEST:
            function = fault.target.split()[0]
            trap = Trap(lambda request: request.function == function and REQUESTS[fault.target](request),
                        fault.number, fault.passed_on, lambda: void(stack.kill(function)))  # fmt: skip
            wire.faults.traps.append(trap)
        elif fault.kind is FaultKind.DATABASE_RESTART:
            stack.control("postgres/restart")
        elif fault.kind is FaultKind.DATABASE_KILL:
            stack.control("postgres/kill")
            stack.control("postgres/restart")
        elif fault.kind is FaultKind.DATABASE_CUT:
            wire.cut_database()
        elif fault.kind is FaultKind.DATABASE_SILENT:
            wire.database_silent_until = until
            self._ended.wait(fault.seconds)
        elif fault.kind is FaultKind.AWS_SILENT:
            wire.faults.silent_until = until
            self._ended.wait(fault.seconds)
        elif fault.kind is FaultKind.S3_SLOW_DOWN:
            wire.faults.slow_down_until = until
            self._ended.wait(fault.seconds)
        elif fault.kind is FaultKind.S3_TRUNCATED:
            wire.faults.truncations += fault.number
        elif fault.kind is FaultKind.AWS_LOST_ANSWER:
            wire.faults.lost_answers += fault.number
        elif fault.kind is FaultKind.AWS_CUT:
            wire.faults.cuts += fault.number
        elif fault.kind is FaultKind.LOCKED_TABLE:
            self._lock_table(fault)
        elif fault.kind is FaultKind.DEADLOCK:
            self._deadlock(fault)
        elif fault.kind is FaultKind.DISK_FULL:
            self._fill_disk(fault)

    def _freeze(self, fault: Fault) -> None:
        frozen = self.site.signal(fault.target, signal.SIGSTOP)
        self._ended.wait(fault.seconds)
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    # ── the database ────────────────────────────────────────────────────────────────────────────────────────────────
    # Another fault may end the sessions of these, which then end early.

    def _lock_table(self, fault: Fault) -> None:
        with suppressed(), self.site.stack.connect() as connection, connection.transaction():
            connection.execute(f"LOCK TABLE public.{fault.target} IN ACCESS EXCLUSIVE MODE".encode())
            self._wait_for_writer()
            self._ended.wait(fault.seconds)

    def _deadlock(self, fault: Fault) -> None:
        """Locks the row with the highest key, waits until a writer waits for it, and then requests the others. The
        writer locks rows in the order of their keys, so that it has some of them."""
        with suppressed(), self.site.stack.connect() as connection:
            highest, others = (
                f"SELECT FROM public.{fault.target} WHERE id {which} FOR UPDATE".encode()
                for which in (
                    f"= (SELECT max(id) FROM public.{fault.target})",
                    f"< (SELECT max(id) FROM public.{fault.target})",
                )
            )
            with contextlib.suppress(psycopg.errors.DeadlockDetected), connection.transaction():
                connection.execute(highest)
                self._wait_for_writer()
                connection.execute(others)

    def _wait_for_writer(self) -> None:
        """Waits until a writer waits for a lock. On a busy machine, the first chunk may be seconds away."""
        until = time.monotonic() + WRITER_WAIT_S
        with self.site.stack.connect() as observer:
            database = observer.info.dbname
            while time.monotonic() < until and not self._ended.wait(0.02):
                if observer.execute(WAITING_WRITERS, [database]).rowcount:
                    return

    def _fill_disk(self, fault: Fault) -> None:
        with suppressed(), self.site.stack.connect() as connection, connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '2s'")
            connection.execute(DISK_FULL)
        self._ended.wait(fault.seconds)
        self._end_disk_full()

    def _end_disk_full(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                with self.site.stack.connect() as connection:
                    if connection.execute("SELECT to_regclass('penstock.chunk')").fetchone() == (None,):
                        return
                    connection.execute("SET lock_timeout = '5s'")
                    connection.execute("DROP TRIGGER IF EXISTS faults_disk_full ON penstock.chunk")
                    return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def suppressed() -> contextlib.suppress:
    """Another fault may end the session, and the table may not exist yet."""
    missing = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
    return contextlib.suppress(psycopg.OperationalError, *missing)


def void(_: object) -> None:
    """Discards a result."""
