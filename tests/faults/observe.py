"""Reads the end state of a run: tables, ledger, receipts, rejects, lake, queues, and what should not remain."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from faults.model import Plan
from faults.oracle import StoredRow
from faults.site import FUNCTIONS, Site
from faults.verdicts import Reasons

COLUMNS = "id, name, amount, changed_at, _source, _batch_id::text, _row, _priority, _dropped_at"
SESSIONS = """
SELECT state, wait_event_type, left(query, 80) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass(frozen=True)
class LedgerBatch:
    """A row of `penstock.batch`. The counts from `loaded` on are `None` until the batch is closed."""

    rows_read: int
    rejected: int
    loaded: int | None
    deduplicated: int | None
    superseded: int | None
    blank: int
    balanced: bool | None
    state: str


@dataclass(frozen=True)
class LedgerChunk:
    number: int
    rows: int
    loaded: int
    deduplicated: int
    superseded: int


@dataclass
class Observed:
    # By version id of the drop.
    receipts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tables: dict[str, list[StoredRow]] = field(default_factory=dict)
    ledger: dict[str, LedgerBatch] = field(default_factory=dict)
    chunks: dict[str, list[LedgerChunk]] = field(default_factory=dict)
    chunk_failures: list[str] = field(default_factory=list)
    rejects: dict[str, dict[int, Reasons]] = field(default_factory=dict)
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Rows by Parquet file, by batch.
    lake: dict[str, dict[str, int]] = field(default_factory=dict)
    # Keys of the reject files in the quarantine bucket, by batch.
    quarantine: dict[str, list[str]] = field(default_factory=dict)
    # Keys below `batches/<batch>/`, by batch.
    objects: dict[str, list[str]] = field(default_factory=dict)
    depths: dict[str, int] = field(default_factory=dict)
    dead_letters: list[tuple[str, str, str]] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    temporary_files: list[str] = field(default_factory=list)
    uploads: list[str] = field(default_factory=list)


class Observer:
    def __init__(self, site: Site, plan: Plan) -> None:
        self.site, self.plan = site, plan
        self.observed = Observed()

    def observe(self) -> Observed:
        for source in self.plan.sources:
            self.source(source.name)
        self.ledger()
        for table in self.plan.tables():
            self.observed.tables[table] = self.table(table)
        self.observed.depths = self.site.depths()
        for queue in ("drops", "load", "job-events"):
            if self.observed.depths[f"{queue}-dead-letter"]:
                self.dead_letters(queue)
        self.remains()
        return self.observed

    def source(self, source: str) -> None:
        stack, observed = self.site.stack, self.observed
        for receipt in stack.receipts(source):
            observed.receipts.setdefault(receipt["drop"]["version_id"], []).append(receipt)
        for key in stack.keys("quarantine", f"{source}/"):
            observed.quarantine.setdefault(key.split("/")[1], []).append(key)
        for batch, keys in observed.quarantine.items():
            for key in keys:
                if key.startswith(f"{source}/"):
                    observed.rejects.setdefault(batch, {}).update(self.reject_file(key))
        for table in self.plan.tables():
            for key in stack.keys("processed", f"data/{table}/source={source}/"):
                batch = key.split("batch=")[1].split("/")[0]
                observed.lake.setdefault(batch, {})[key] = self.parquet_rows(key)
        batches = {receipt["batch_id"] for receipts in observed.receipts.values() for receipt in receipts}
        for batch in batches - observed.objects.keys():
            observed.objects[batch] = stack.keys("processed", f"batches/{batch}/")
            manifest = stack.object("processed", f"batches/{batch}/manifest.json")
            if manifest is not None:
                observed.manifests[batch] = manifest

    def body(self, bucket: str, key: str) -> bytes:
        body: bytes = self.site.s3.get_object(Bucket=self.site.stack.bucket(bucket), Key=key)["Body"].read()
        return body

    def reject_file(self, key: str) -> dict[int, Reasons]:
        text = pa.CompressedInputStream(pa.BufferReader(self.body("quarantine", key)), "zstd").read()
        rejects = {}
        for line in text.decode().splitlines():
            reject = json.loads(line)
            reasons = ((reason["code"], reason.get("column") or "") for reason in reject["reasons"])
            rejects[int(reject["row"])] = frozenset(reasons)
        return rejects

    def parquet_rows(self, key: str) -> int:
        rows: int = pq.ParquetFile(io.BytesIO(self.body("processed", key))).metadata.num_rows
        return rows

    # ── the database ────────────────────────────────────────────────────────────────────────────────────────────────

    def table(self, table: str) -> list[StoredRow]:
        query = self.site.stack.query
        if query("SELECT to_regclass(%s)", f"public.{table}") == [(None,)]:
            return []
        columns = {name for (name,) in query(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0", f"public.{table}"
        )}  # fmt: skip
        grade = "grade" if "grade" in columns else "NULL"
        # A table without the column that was dropped by hand has it again after the next load.
        names = COLUMNS if "amount" in columns else COLUMNS.replace("amount", "NULL")
        rows = query(f"SELECT {names}, {grade} FROM public.{table}")
        return [
            StoredRow(key, name, amount, changed.minute * 60 + changed.second, mark, source, batch, number, priority,
                      f"{dropped:%Y-%m-%dT%H:%M:%SZ}")
            for key, name, amount, changed, source, batch, number, priority, dropped, mark in rows
        ]  # fmt: skip

    def ledger(self) -> None:
        query = self.site.stack.query
        if query("SELECT to_regclass('penstock.batch')") == [(None,)]:
            return
        sources = [source.name for source in self.plan.sources]
        batches = query(
            "SELECT batch_id::text, rows_read, rejected, loaded, deduplicated, superseded, blank, balanced, state "
            "FROM penstock.batch WHERE source = ANY (%s)",
            sources,
        )
        self.observed.ledger = {batch: LedgerBatch(*counts) for batch, *counts in batches}
        chunks = query(
            "SELECT batch_id::text, chunk, rows, loaded, deduplicated, superseded FROM penstock.chunk "
            "WHERE source = ANY (%s) ORDER BY 1, 2",
            sources,
        )
        for batch, *counts in chunks:
            self.observed.chunks.setdefault(batch, []).append(LedgerChunk(*counts))
        batch_ids = sorted({batch for batch, *_ in chunks} | self.observed.ledger.keys())
        failures = query(
            "SELECT batch_id::text, chunk, code FROM penstock.chunk_failure WHERE batch_id = ANY (%s::uuid[])",
            batch_ids,
        )
        self.observed.chunk_failures = [f"chunk {chunk} of batch {batch}: {code}" for batch, chunk, code in failures]

    # ── what should not remain ──────────────────────────────────────────────────────────────────────────────────────

    def dead_letters(self, queue: str) -> None:
        for letter in self.site.stack.dead_letters(queue, self.observed.depths[f"{queue}-dead-letter"]):
            self.observed.dead_letters.append((queue, letter.code or "no code", letter.message or letter.body[:80]))

    def remains(self) -> None:
        stack, observed = self.site.stack, self.observed
        sessions = stack.query(SESSIONS)
        observed.sessions = [f"{state}: {query}" for state, _, query in sessions if state != "idle"]
        writers = len(self.site.environments("writer"))
        if len(sessions) > writers:
            observed.sessions.append(f"{len(sessions)} sessions of {writers} writers")
        observed.temporary_files = [str(path) for path in self.site.temporary.iterdir()]
        for bucket in ("processed", "quarantine"):
            uploads = self.site.s3.list_multipart_uploads(Bucket=stack.bucket(bucket)).get("Uploads", [])
            observed.uploads.extend(upload["Key"] for upload in uploads)


def processes(site: Site) -> str:
    """Returns the processes of each function, for the description of a failure."""
    return ", ".join(f"{function}: {len(site.environments(function))}" for function in FUNCTIONS)
