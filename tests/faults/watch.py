"""Checks, while drops are in progress, what is true at every moment.

- Of a source that appends, the rows of each batch in the table are those that the ledger counts as loaded. Both are
  read in one snapshot.
- A batch of a source that upserts has at most the rows that the ledger counts as loaded.
- A receipt reports at most the rows that the ledger has, which is read after it, and the counts of a `loaded`
  receipt do not change until a later version of the object replaces the batch.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import psycopg

from faults.model import HandKind, Overwrite, Plan, Write
from faults.site import Site

PERIOD_S = 0.5
LEDGER = """
SELECT batch_id::text, sum(loaded)::bigint FROM penstock.chunk WHERE source = ANY (%s) GROUP BY 1
"""


class Watch:
    def __init__(self, site: Site, plan: Plan) -> None:
        self.site, self.plan = site, plan
        self.problems: list[str] = []
        self.samples = 0
        self._final: dict[str, dict[str, Any]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        changed = {
            change.table for phase in plan.phases for change in phase.by_hand if change.kind is HandKind.DROP_TABLE
        }
        # A table that is dropped by hand has fewer rows than the ledger.
        self.tables = [table for table in plan.tables() if table not in changed]
        self.appended = {
            source.table
            for source in plan.sources
            if source.write is Write.APPEND and source.overwrite is not Overwrite.REPLACE
        }

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._ended.wait(PERIOD_S) and not self.problems:
            # Faults stop the server and end sessions.
            try:
                receipts = self._receipts()
                ledger = self._tables()
            except (psycopg.OperationalError, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedTable):
                continue
            self.samples += 1
            self._compare(receipts, ledger)

    def _receipts(self) -> dict[str, dict[str, Any]]:
        found = [receipt for source in self.plan.sources for receipt in self.site.stack.receipts(source.name)]
        return {receipt["batch_id"]: receipt for receipt in found}

    def _tables(self) -> Counter[str]:
        """Compares the tables with the ledger, and returns the loaded rows of each batch."""
        with self.site.stack.connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            # A locked table must not make this wait: the snapshot would be old.
            connection.execute("SET LOCAL lock_timeout = '100ms'")
            sources = [source.name for source in self.plan.sources]
            ledger = Counter(dict(connection.execute(LEDGER, [sources]).fetchall()))
            for table in self.tables:
                if connection.execute("SELECT to_regclass(%s)", [f"public.{table}"]).fetchone() == (None,):
                    continue
                rows = connection.execute(f"SELECT _batch_id::text, count(*) FROM public.{table} GROUP BY 1".encode())
                for batch, count in rows.fetchall():
                    loaded = ledger[batch]
                    if count > loaded or (table in self.appended and count != loaded):
                        self.problems.append(
                            f"while in progress: table {table} has {count} rows of batch {batch}, the ledger {loaded}"
                        )
        return ledger

    def _compare(self, receipts: dict[str, dict[str, Any]], ledger: Counter[str]) -> None:
        for batch, receipt in receipts.items():
            loaded = receipt["rows"]["loaded"]
            if loaded > ledger[batch]:
                self.problems.append(
                    f"while in progress: the receipt of batch {batch} is {receipt['state']} with {loaded} rows loaded, "
                    f"the ledger has {ledger[batch]}"
                )
            final = self._final.get(batch)
            is_changed = final is not None and (receipt["state"], receipt["rows"]) != ("loaded", final["rows"])
            if final and is_changed and receipt["state"] != "replaced":
                self.problems.append(
                    f"while in progress: the receipt of batch {batch} was {final['state']} {final['rows']}, "
                    f"then {receipt['state']} {receipt['rows']}"
                )
            if receipt["state"] == "loaded":
                self._final[batch] = receipt
