"""A plan: what a run drops, publishes, deploys and breaks, and when."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Union

HEADER = ("id", "name", "amount", "changed_at")
# The amount that a constraint added by hand refuses.
UNLUCKY = "77"


class Overwrite(enum.Enum):
    ADD = "add"
    REPLACE = "replace"
    KEEP = "keep"


class Write(enum.Enum):
    """A write mode. A mode without its part in `oracle.py` and `plan.py` does not run."""

    UPSERT = "upsert"
    APPEND = "append"


@dataclass(frozen=True)
class ContractVersion:
    """A version of a source's contract. Versions differ in the verdict on a row and in the columns of the table."""

    version: str
    # Rows with a greater amount are rejected.
    max_amount: int
    # The constant in the column `grade`, or `None` if the contract has no such column.
    grade: str | None


VERSIONS = (
    ContractVersion("1.0.0", 1000, None),
    ContractVersion("2.0.0", 500, "b"),
    ContractVersion("3.0.0", 800, "c"),
)


@dataclass(frozen=True)
class Source:
    name: str
    table: str
    write: Write
    overwrite: Overwrite
    priority: int
    # Whether the contract has an event time. Without one, the time of the drop decides.
    has_event_time: bool
    max_rejects_percent: int = 20


@dataclass(frozen=True)
class Row:
    """A row of a file, as its texts. A row without any text is blank."""

    id: str
    name: str
    amount: str
    changed_at: str

    @property
    def is_blank(self) -> bool:
        return not (self.id or self.name or self.amount or self.changed_at)


class Shape(enum.Enum):
    TABLE = "table"
    # No bytes at all.
    EMPTY = "empty"
    # The header lacks a column.
    NO_AMOUNT = "no_amount"


@dataclass(frozen=True)
class File:
    shape: Shape
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Delivery:
    """How often and when the event of a drop is delivered. The sentinel finds a drop without an event."""

    # Copies that are sent at once.
    now: int = 1
    # Whether a copy is sent at the end of the phase.
    late: bool = False
    # Whether a copy is sent in each later phase.
    again: bool = False


@dataclass(frozen=True)
class Drop:
    source: str
    # The object's name below the prefix of the source.
    name: str
    file: File
    delivery: Delivery = Delivery()
    # Whether the object is written in the same second as the one before.
    same_second: bool = False

    @property
    def key(self) -> str:
        return f"{self.source}/{self.name}"


@dataclass(frozen=True)
class Publish:
    source: str
    contract: ContractVersion


@dataclass(frozen=True)
class Deploy:
    """Deploys functions with other variables, or the binaries of the previous release."""

    functions: tuple[str, ...]
    previous: bool = False
    chunk_rows: int | None = None
    # Seconds by which the functions' clock is wrong.
    skew_s: int = 0


@dataclass(frozen=True)
class Poison:
    """A message that can never be processed."""

    queue: str
    body: str
    code: str


@dataclass(frozen=True)
class RunSentinel:
    """Runs the sentinel while drops are in progress."""


@dataclass(frozen=True)
class Pause:
    seconds: float


class HandKind(enum.Enum):
    """A change that a person makes to a target table. The table is created again if it is missing."""

    DROP_TABLE = "drop table"
    ADD_COLUMN = "add column"
    DROP_COLUMN = "drop column"
    ADD_CHECK = "add check"
    ADD_TRIGGER = "add trigger"


@dataclass(frozen=True)
class ByHand:
    kind: HandKind
    table: str


class FaultKind(enum.Enum):
    KILL = "kill"
    FREEZE = "freeze"
    KILL_AT_REQUEST = "kill at request"
    DATABASE_RESTART = "database restart"
    DATABASE_KILL = "database kill"
    DATABASE_CUT = "database cut"
    DATABASE_SILENT = "database silent"
    AWS_CUT = "aws cut"
    AWS_LOST_ANSWER = "aws lost answer"
    AWS_SILENT = "aws silent"
    S3_SLOW_DOWN = "s3 slow down"
    S3_TRUNCATED = "s3 truncated"
    LOCKED_TABLE = "locked table"
    DEADLOCK = "deadlock"
    DISK_FULL = "disk full"


@dataclass(frozen=True)
class Fault:
    kind: FaultKind
    # Seconds after the start of the phase.
    at_s: float
    seconds: float = 0.0
    # The function, the table, or the request, depending on the kind.
    target: str = ""
    # Of `KILL_AT_REQUEST`: which of the matching requests, from 1.
    number: int = 1
    # Of `KILL_AT_REQUEST`: whether the service receives the request.
    passed_on: bool = False

    def __str__(self) -> str:
        parts = [self.kind.value, self.target, f"at {self.at_s:.1f} s"]
        if self.seconds:
            parts.append(f"for {self.seconds:.1f} s")
        if self.kind is FaultKind.KILL_AT_REQUEST:
            parts.append(f"number {self.number}{' after it' if self.passed_on else ''}")
        return " ".join(part for part in parts if part)


Action = Union[Drop, Publish, Deploy, Poison, RunSentinel, Pause]


@dataclass(frozen=True)
class Phase:
    """Changes by hand while everything is quiet, then actions and faults at the same time, then quiet again."""

    by_hand: tuple[ByHand, ...]
    actions: tuple[Action, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class Plan:
    seed: int
    sources: tuple[Source, ...]
    phases: tuple[Phase, ...]
    chunk_rows: int = 40

    def source(self, name: str) -> Source:
        (source,) = (source for source in self.sources if source.name == name)
        return source

    def tables(self) -> list[str]:
        return sorted({source.table for source in self.sources})


@dataclass(frozen=True)
class Dropped:
    """What S3 assigned to a drop. The plan cannot know it."""

    phase: int
    # The index among the actions of the phase.
    index: int
    drop: Drop
    version_id: str
    etag: str
    # The event time in whole seconds, as in the event.
    dropped_at: str
    sequencer: str


@dataclass
class Facts:
    """What happened to the input of a run outside of Penstock."""

    bucket: str
    dropped: list[Dropped] = field(default_factory=list)
