"""Compares what is observed with what the oracle expects. Each difference is one line of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from faults.model import Plan
from faults.observe import LedgerBatch, Observed
from faults.oracle import BY_DATABASE, Choice, Expected, ExpectedBatch, Range, StoredRow

SHOWN = 3
# The beginning of a difference that a release without the removal of orphans has.
ORPHAN = "orphan"
STORES = ("the lake", "quarantine")


def choices(observed: Observed) -> dict[str, Choice]:
    """Returns the choices that the receipts show, by version id."""
    found = {}
    for version_id, receipts in observed.receipts.items():
        receipt = receipts[0]
        refusal = receipt["refusal"] or {}
        found[version_id] = Choice(receipt["contract_version"], refusal.get("code") == "kept")
    return found


def differences(plan: Plan, expected: Expected, observed: Observed, poison: list[tuple[str, str]]) -> list[str]:
    found: list[str] = []
    for batch in expected.batches.values():
        found.extend(f"{describe(batch)}: {text}" for text in of_batch(batch, observed))
    found.extend(unknown_batches(expected, observed))
    for table in plan.tables():
        found.extend(f"table {table}: {text}" for text in of_table(expected.tables[table], observed.tables[table]))
    found.extend(remains(observed, poison))
    return found


def describe(batch: ExpectedBatch) -> str:
    dropped = batch.dropped
    return f"{dropped.drop.key} version {dropped.version_id[:8]} batch {batch.batch_id[:8]}"


def of_batch(batch: ExpectedBatch, observed: Observed) -> Iterator[str]:
    receipts = observed.receipts.get(batch.dropped.version_id, [])
    if len(receipts) != 1:
        states = [(receipt["contract_version"], receipt["state"]) for receipt in receipts]
        yield f"has {len(receipts)} receipts: {states}"
    if not receipts:
        return
    receipt = receipts[0]
    if receipt["batch_id"] != batch.batch_id:
        yield f"the batch id is {receipt['batch_id']}"
    refusal = receipt["refusal"] or {}
    possible = states_of(batch)
    if receipt["state"] not in possible or refusal.get("code") != batch.refusal:
        wanted = f"{' or '.join(possible)} {batch.refusal or ''}"
        yield f"the receipt is {receipt['state']} {refusal or ''}, expected: {wanted}"
        return
    yield from of_progress(batch, receipt, observed)
    yield from of_counts("receipt", batch, receipt["rows"])
    yield from of_rejects(batch, observed.rejects.get(batch.batch_id, {}))
    if batch.refusal is None:
        yield from of_ledger(batch, observed)
    elif batch.batch_id in observed.ledger or batch.batch_id in observed.chunks:
        yield "is refused, but in the ledger"
    yield from of_files(batch, observed)


def states_of(batch: ExpectedBatch) -> tuple[str, ...]:
    """Returns the possible states of the receipt. A version that a later one replaces may be loaded before."""
    if batch.refusal is not None:
        return ("refused",)
    return ("loaded", "replaced") if batch.is_replaced else ("loaded",)


def of_progress(batch: ExpectedBatch, receipt: dict[str, Any], observed: Observed) -> Iterator[str]:
    """What a receipt reports besides its counts. The previous release does not report it."""
    for name in ("missing", "waits_for"):
        if receipt.get(name):
            yield f"the receipt has {name}: {receipt[name]}"
    chunks = receipt.get("chunks")
    if chunks and chunks["applied"] != chunks["total"]:
        yield f"the receipt has {chunks['applied']} of {chunks['total']} chunks"
    superseded_by = receipt.get("superseded_by")
    if superseded_by:
        total = sum(entry["rows"] for entry in superseded_by)
        if total > receipt["rows"]["superseded"]:
            yield f"the receipt names {total} superseded rows, but counts {receipt['rows']['superseded']}"
        unknown = {entry["batch_id"] for entry in superseded_by} - observed.chunks.keys()
        if unknown:
            yield f"the receipt names unknown batches that superseded rows: {sorted(unknown)}"


def of_counts(where: str, batch: ExpectedBatch, rows: dict[str, int]) -> Iterator[str]:
    if batch.refusal not in (None, "too_many_rejects"):
        return
    expected: dict[str, Range] = {
        "read": exactly(batch.verdict.read),
        "blank": exactly(batch.verdict.blank),
        "rejected": exactly(len(batch.rejects)),
    }
    if batch.refusal is None:
        superseded = batch.superseded
        expected |= {
            "deduplicated": exactly(batch.deduplicated),
            "superseded": superseded,
            "loaded": Range(batch.to_load - superseded.most, batch.to_load - superseded.least),
        }
    wrong = [f"{name} is {rows[name]}, expected {count}" for name, count in expected.items() if rows[name] not in count]
    if wrong:
        yield f"{where}: {', '.join(wrong)}"
    counted = sum(rows[name] for name in ("loaded", "rejected", "deduplicated", "superseded", "blank"))
    if batch.refusal is None and counted != rows["read"]:
        yield f"{where}: {counted} of {rows['read']} rows are accounted for"


def exactly(count: int) -> Range:
    return Range(count, count)


def of_rejects(batch: ExpectedBatch, rejects: dict[int, frozenset[tuple[str, str]]]) -> Iterator[str]:
    """Rejects by the database have the code of their constraint, which differs; the rows are compared."""
    expected = batch.rejects
    for number in sorted(expected.keys() | rejects.keys()):
        here, there = expected.get(number), rejects.get(number)
        by_database = here is not None and any(code == BY_DATABASE for code, _ in here)
        if here != there and not (by_database and there):
            yield f"row {number} is rejected by {sorted(there or ())}, expected {sorted(here or ())}"
            return


def of_ledger(batch: ExpectedBatch, observed: Observed) -> Iterator[str]:
    manifest = observed.manifests.get(batch.batch_id)
    if manifest is None:
        yield "has no manifest"
        return
    chunks = observed.chunks.get(batch.batch_id, [])
    if [chunk.number for chunk in chunks] != list(range(len(manifest["chunks"]))):
        yield f"the ledger has the chunks {[chunk.number for chunk in chunks]} of {len(manifest['chunks'])}"
    if not manifest["chunks"]:
        return
    ledger = observed.ledger.get(batch.batch_id)
    if ledger is None:
        yield "is not in penstock.batch"
        return
    if ledger.state not in states_of(batch):
        yield f"penstock.batch is {ledger.state}, expected: {' or '.join(states_of(batch))}"
    if not ledger.balanced:
        yield f"penstock.batch is not balanced: {ledger}"
        return
    yield from of_counts("ledger", batch, as_rows(ledger))
    for name in ("loaded", "deduplicated", "superseded"):
        total = sum(getattr(chunk, name) for chunk in chunks)
        if total != getattr(ledger, name):
            yield f"penstock.chunk has {total} rows {name}, penstock.batch {getattr(ledger, name)}"


def as_rows(ledger: LedgerBatch) -> dict[str, int]:
    """Returns the counts as in a receipt; -1 for those of a batch that is not closed."""
    counts = {
        "read": ledger.rows_read,
        "rejected": ledger.rejected,
        "loaded": ledger.loaded,
        "deduplicated": ledger.deduplicated,
        "superseded": ledger.superseded,
        "blank": ledger.blank,
    }
    return {name: -1 if count is None else count for name, count in counts.items()}


def of_files(batch: ExpectedBatch, observed: Observed) -> Iterator[str]:
    """Each file of the batch is listed in its manifest, and each that is listed exists."""
    manifest = observed.manifests.get(batch.batch_id)
    if manifest is None:
        yield "has no manifest"
        return
    lake = observed.lake.get(batch.batch_id, {})
    listed = set(manifest["parquet"]) if batch.refusal is None else set()
    if listed - lake.keys():
        yield f"the lake lacks {sorted(listed - lake.keys())}"
    elif sum(lake[key] for key in listed) != (len(batch.verdict.accepted) if listed else 0):
        yield f"the lake has {sum(lake.values())} rows, expected {len(batch.verdict.accepted)}"
    if lake.keys() - listed:
        yield f"{ORPHAN} in the lake: {sorted(lake.keys() - listed)}"
    bodies = (chunk["body"] for chunk in manifest["chunks"])
    expected = {body["object"]["key"] for body in bodies if "object" in body}
    found = {key for key in observed.objects.get(batch.batch_id, []) if "/chunks/" in key}
    if expected - found:
        yield f"the chunks {sorted(expected - found)} are missing"
    if found - expected:
        yield f"{ORPHAN} among the chunks: {sorted(found - expected)}"
    rejects = {uri.split("/", 3)[3] for uri in manifest["rejects"]}
    unlisted = set(observed.quarantine.get(batch.batch_id, [])) - rejects
    if unlisted and not any(code == BY_DATABASE for reasons in batch.rejects.values() for code, _ in reasons):
        yield f"{ORPHAN} in quarantine: {sorted(unlisted)}"


def unknown_batches(expected: Expected, observed: Observed) -> Iterator[str]:
    known = {batch.batch_id for batch in expected.batches.values()}
    for name, batches in (
        ("the lake", observed.lake.keys()),
        ("quarantine", observed.quarantine.keys()),
        ("penstock.batch", observed.ledger.keys()),
        ("penstock.chunk", observed.chunks.keys()),
    ):
        for batch in sorted(batches - known):
            yield f"{ORPHAN if name in STORES else 'surplus'}: {name} has batch {batch}, which is of no drop"
    for version_id in sorted(observed.receipts.keys() - expected.batches.keys()):
        yield f"a receipt is of version {version_id}, which was not dropped"


def of_table(expected: list[StoredRow], found: list[StoredRow]) -> Iterator[str]:
    wanted, actual = Counter(expected), Counter(found)
    missing, surplus = sorted((wanted - actual).elements(), key=order), sorted((actual - wanted).elements(), key=order)
    if missing or surplus:
        yield f"{len(found)} rows, expected {len(expected)}; {len(missing)} are missing, {len(surplus)} are surplus"
    yield from (f"missing {row}" for row in missing[:SHOWN])
    yield from (f"surplus {row}" for row in surplus[:SHOWN])


def order(row: StoredRow) -> tuple[int, str, int]:
    return row.id, row.batch_id, row.number


def remains(observed: Observed, poison: list[tuple[str, str]]) -> Iterator[str]:
    waiting = {queue: depth for queue, depth in observed.depths.items() if depth and "dead-letter" not in queue}
    if waiting:
        yield f"messages remain: {waiting}"
    unexplained = Counter((queue, code) for queue, code, _ in observed.dead_letters) - Counter(poison)
    for (queue, code), count in unexplained.items():
        message = next(message for one, other, message in observed.dead_letters if (one, other) == (queue, code))
        yield f"{count} dead letters of {queue} with {code}: {message}"
    lost = Counter(poison) - Counter((queue, code) for queue, code, _ in observed.dead_letters)
    for queue, code in lost.elements():
        yield f"a message that cannot be processed is not in the dead-letter queue of {queue} as {code}"
    yield from (f"a chunk is recorded as failed: {chunk}" for chunk in observed.chunk_failures)
    yield from (f"session remains: {session}" for session in observed.sessions)
    yield from (f"temporary file remains: {path}" for path in observed.temporary_files)
    yield from (f"multipart upload remains: {key}" for key in observed.uploads)
