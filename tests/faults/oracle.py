"""Computes the right end state of a run from its plan, what S3 assigned to the drops, and two choices that the plan
leaves open: the version of a contract under which a drop was processed that raced with its publication, and which of
the versions of an object was processed first under `penstock.overwrite: keep`. The choices are read from the receipts,
and an impossible choice is an error."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from faults.model import (
    UNLUCKY,
    VERSIONS,
    ByHand,
    ContractVersion,
    Dropped,
    Facts,
    HandKind,
    Overwrite,
    Plan,
    Publish,
    RunSentinel,
    Source,
    Write,
)
from faults.texts import changed_at
from faults.verdicts import Accepted, Reasons, Verdict, judge, winners

NAMESPACE = uuid.UUID(int=0x5C0F5A0E7C1D4B8E9A5E70E657E570C4)
# The code of a row that the database refuses, whatever its constraint is.
BY_DATABASE = "by the database"


class ImpossibleChoice(Exception):
    """A receipt shows a choice that the plan does not allow."""


@dataclass(frozen=True)
class Choice:
    """What the receipt of a drop shows of the open choices."""

    contract_version: str
    is_excluded: bool = False


@dataclass(frozen=True)
class StoredRow:
    """A row of a target table. `amount` is `None` after its column was dropped by hand."""

    id: int
    name: str
    amount: int | None
    second: int
    grade: str | None
    source: str
    batch_id: str
    number: int
    priority: int
    dropped_at: str


@dataclass(frozen=True)
class Range:
    """A count that depends on the order of processing."""

    least: int
    most: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.least <= value <= self.most

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


@dataclass
class ExpectedBatch:
    dropped: Dropped
    source: Source
    contract: ContractVersion
    batch_id: str
    verdict: Verdict
    # The code of the refusal, or `None` if the batch is loaded.
    refusal: str | None
    rejects: dict[int, Reasons] = field(default_factory=dict)
    stored: tuple[Accepted, ...] = ()
    deduplicated: int = 0
    superseded: Range = Range(0, 0)
    # Whether a later version of its object replaces it.
    is_replaced: bool = False

    @property
    def to_load(self) -> int:
        return len(self.stored)


@dataclass
class Expected:
    batches: dict[str, ExpectedBatch]
    tables: dict[str, list[StoredRow]]


def batch_id(bucket: str, dropped: Dropped, contract_version: str) -> str:
    fields = (bucket, dropped.drop.key, "version", dropped.version_id, contract_version)
    return str(uuid.uuid5(NAMESPACE, "".join(f"{len(text.encode())}:{text}" for text in fields)))


def possible_versions(plan: Plan, dropped: Dropped) -> set[str]:
    """Returns the contract versions that may be current when the drop is first processed: from its first event (or,
    if the sentinel runs meanwhile, from the drop) to the end of its phase."""
    current = VERSIONS[0].version
    for phase in plan.phases[: dropped.phase]:
        current = last_published(phase.actions, dropped.drop.source, current)
    actions = plan.phases[dropped.phase].actions
    has_sentinel = any(isinstance(action, RunSentinel) for action in actions[dropped.index :])
    is_first_at_end = dropped.drop.delivery.now == 0 and not has_sentinel
    first = len(actions) if is_first_at_end else dropped.index
    current = last_published(actions[:first], dropped.drop.source, current)
    later = {
        action.contract.version
        for action in actions[first:]
        if isinstance(action, Publish) and action.source == dropped.drop.source
    }
    return {current} | later


def last_published(actions: tuple[object, ...], source: str, current: str) -> str:
    for action in actions:
        if isinstance(action, Publish) and action.source == source:
            current = action.contract.version
    return current


def expect(plan: Plan, facts: Facts, choices: dict[str, Choice], by_hand: list[tuple[int, ByHand]]) -> Expected:
    """Returns the end state. `choices` are by version id. `by_hand` has the changes that were made, with their phase;
    a change of a table that did not exist was not.

    Raises `ImpossibleChoice`."""
    return Oracle(plan, facts, choices, by_hand).run()


class Oracle:
    def __init__(self, plan: Plan, facts: Facts, choices: dict[str, Choice], by_hand: list[tuple[int, ByHand]]) -> None:
        self.plan, self.facts, self.choices, self.by_hand = plan, facts, choices, by_hand
        self.batches: dict[str, ExpectedBatch] = {}
        # Rows by table, then by key (upsert) or by batch and number (append).
        self.tables: dict[str, dict[object, StoredRow]] = {table: {} for table in plan.tables()}
        self.refuses_unlucky: dict[str, bool] = dict.fromkeys(self.tables, False)
        self.kept: dict[str, str] = {}

    def run(self) -> Expected:
        for number in range(len(self.plan.phases)):
            for _, change in (entry for entry in self.by_hand if entry[0] == number):
                self.change_by_hand(change)
            dropped = sorted((one for one in self.facts.dropped if one.phase == number), key=order_of_versions)
            batches = [self.batch(one) for one in dropped]
            self.keep_one_version(batches)
            for batch in batches:
                self.decide(batch)
                self.batches[batch.dropped.version_id] = batch
            for table in self.tables:
                self.load(table, [batch for batch in batches if batch.source.table == table and not batch.refusal])
        return Expected(self.batches, {table: list(rows.values()) for table, rows in self.tables.items()})

    def change_by_hand(self, change: ByHand) -> None:
        rows = self.tables[change.table]
        if change.kind is HandKind.DROP_TABLE:
            rows.clear()
            self.refuses_unlucky[change.table] = False
        elif change.kind is HandKind.DROP_COLUMN:
            for key, row in rows.items():
                rows[key] = StoredRow(**{**row.__dict__, "amount": None})
        elif change.kind in (HandKind.ADD_CHECK, HandKind.ADD_TRIGGER):
            self.refuses_unlucky[change.table] = True

    def batch(self, dropped: Dropped) -> ExpectedBatch:
        choice = self.choices.get(dropped.version_id)
        possible = possible_versions(self.plan, dropped)
        version = choice.contract_version if choice else min(possible)
        if version not in possible:
            raise ImpossibleChoice(f"{dropped.drop.key} was processed under {version}, possible: {sorted(possible)}")
        (contract,) = (contract for contract in VERSIONS if contract.version == version)
        source = self.plan.source(dropped.drop.source)
        verdict = judge(source, contract, dropped.drop.file)
        identity = batch_id(self.facts.bucket, dropped, version)
        return ExpectedBatch(dropped, source, contract, identity, verdict, verdict.refusal)

    def keep_one_version(self, batches: list[ExpectedBatch]) -> None:
        """Refuses the versions that are excluded. Until one version is loaded, those that the contract refuses are."""
        for key in sorted({batch.dropped.drop.key for batch in batches}):
            versions = [batch for batch in batches if batch.dropped.drop.key == key]
            if versions[0].source.overwrite is not Overwrite.KEEP:
                continue
            excluded = [batch for batch in versions if self.is_excluded(batch)]
            loaded = [batch for batch in versions if batch not in excluded and batch.verdict.refusal is None]
            already = self.kept.get(key)
            if already is None and len(loaded) == 0 and any(batch.verdict.refusal is None for batch in versions):
                raise ImpossibleChoice(f"{key}: every version was refused as `kept`, but none was loaded before")
            if len(loaded) + (already is not None) > 1:
                raise ImpossibleChoice(f"{key}: a second version was loaded, although the contract keeps the first")
            if already is not None and len(excluded) < len(versions):
                raise ImpossibleChoice(f"{key}: a version was not refused as `kept`, although {already} was loaded")
            if already is None and loaded:
                self.kept[key] = loaded[0].batch_id
            if already is None and not loaded and excluded:
                raise ImpossibleChoice(f"{key}: a version was refused as `kept`, but none was loaded")
            for batch in excluded:
                batch.refusal = "kept"

    def is_excluded(self, batch: ExpectedBatch) -> bool:
        choice = self.choices.get(batch.dropped.version_id)
        return choice is not None and choice.is_excluded

    def decide(self, batch: ExpectedBatch) -> None:
        """Sets what the batch stores and rejects. A batch that is refused as `kept` is not read."""
        if batch.refusal == "kept":
            return
        verdict = batch.verdict
        batch.rejects = dict(verdict.rejects)
        stored = winners(batch.source, verdict.accepted)
        batch.deduplicated = len(verdict.accepted) - len(stored)
        if self.refuses_unlucky[batch.source.table] and batch.refusal is None:
            for row in stored:
                if str(row.amount) == UNLUCKY:
                    batch.rejects[row.number] = frozenset({(BY_DATABASE, "")})
            stored = tuple(row for row in stored if str(row.amount) != UNLUCKY)
        batch.stored = stored

    # ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def load(self, table: str, batches: list[ExpectedBatch]) -> None:
        """Loads the batches of one phase, which are in the order of the versions of each object."""
        if not batches:
            return
        source = batches[0].source
        if source.overwrite is Overwrite.REPLACE:
            self.replace(table, batches)
        elif source.write is Write.APPEND:
            for batch in batches:
                self.append(table, batch)
        else:
            self.upsert(table, batches)

    def append(self, table: str, batch: ExpectedBatch) -> None:
        for row in batch.stored:
            self.tables[table][batch.batch_id, row.number] = stored_row(batch, row)

    def upsert(self, table: str, batches: list[ExpectedBatch]) -> None:
        """The newest row of each key wins. A row that loses to one of an earlier phase is superseded; one that loses to
        a row of this phase may have been loaded before."""
        rows = self.tables[table]
        before = dict(rows)
        ranks: dict[object, tuple[object, ...]] = {
            key: stored_rank(self.plan, self.batches, row) for key, row in rows.items()
        }
        ranks_before = dict(ranks)
        for batch in batches:
            for row in batch.stored:
                if row.id not in ranks or rank(batch, row) > ranks[row.id]:
                    ranks[row.id], rows[row.id] = rank(batch, row), stored_row(batch, row)
        for batch in batches:
            surely = sum(1 for row in batch.stored if row.id in before and rank(batch, row) < ranks_before[row.id])
            most = sum(1 for row in batch.stored if rank(batch, row) < ranks[row.id])
            batch.superseded = Range(surely, most)

    def replace(self, table: str, batches: list[ExpectedBatch]) -> None:
        rows = self.tables[table]
        last: dict[str, ExpectedBatch] = {batch.dropped.drop.key: batch for batch in batches}
        for batch in batches:
            key = batch.dropped.drop.key
            earlier = {other.batch_id for other in self.batches.values() if other.dropped.drop.key == key}
            earlier -= {batch.batch_id}
            for other in self.batches.values():
                other.is_replaced |= other.batch_id in earlier and other.refusal is None
            for stored in [stored for stored, row in rows.items() if row.batch_id in earlier]:
                del rows[stored]
            for row in batch.stored:
                place: object = row.id if batch.source.write is Write.UPSERT else (batch.batch_id, row.number)
                rows[place] = stored_row(batch, row)
            # A version that arrives after a later one was loaded is superseded as a whole.
            batch.superseded = Range(0, 0 if last[key] is batch else len(batch.stored))


def order_of_versions(dropped: Dropped) -> tuple[str, str]:
    return dropped.dropped_at, dropped.sequencer


def rank(batch: ExpectedBatch, row: Accepted) -> tuple[object, ...]:
    """The total order of rows: event time, priority, time of the drop, then the key of the object and, for one object,
    its sequencer."""
    dropped = batch.dropped
    event_time = changed_at(row.second) if batch.source.has_event_time else dropped.dropped_at
    return event_time, batch.source.priority, dropped.dropped_at, dropped.drop.key.encode(), dropped.sequencer


def stored_rank(plan: Plan, batches: dict[str, ExpectedBatch], row: StoredRow) -> tuple[object, ...]:
    (batch,) = (batch for batch in batches.values() if batch.batch_id == row.batch_id)
    return rank(batch, Accepted(row.number, row.id, row.name, row.amount or 0, row.second))


def stored_row(batch: ExpectedBatch, row: Accepted) -> StoredRow:
    return StoredRow(
        row.id,
        row.name,
        row.amount,
        row.second,
        batch.contract.grade,
        batch.source.name,
        batch.batch_id,
        row.number,
        batch.source.priority,
        batch.dropped.dropped_at,
    )
