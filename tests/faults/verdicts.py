"""The verdict on a file under a version of the contract: which rows are accepted, rejected and blank. Not the engine's
code: it knows only the columns of the harness's own contract."""

from __future__ import annotations

import re
from dataclasses import dataclass

from faults.model import ContractVersion, File, Row, Shape, Source, Write

TIME = re.compile(r"2026-01-01T00:(\d\d):(\d\d)Z")

Reasons = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Accepted:
    number: int
    id: int
    name: str
    amount: int
    # Seconds since 2026-01-01T00:00:00Z.
    second: int


@dataclass(frozen=True)
class Verdict:
    """`refusal` is the code of the receipt, or `None` if the batch is loaded. `rejects` has the reasons, as pairs of
    code and column, by the number of the row from 1."""

    refusal: str | None
    read: int
    blank: int
    accepted: tuple[Accepted, ...]
    rejects: dict[int, Reasons]


def judge(source: Source, contract: ContractVersion, file: File) -> Verdict:
    if file.shape is Shape.EMPTY:
        return Verdict("empty", 0, 0, (), {})
    if file.shape is Shape.NO_AMOUNT:
        return Verdict("unreadable", 0, 0, (), {})
    accepted: list[Accepted] = []
    rejects: dict[int, Reasons] = {}
    blank = 0
    for number, row in enumerate(file.rows, start=1):
        if row.is_blank:
            blank += 1
            continue
        reasons = reasons_of(row, contract)
        if reasons:
            rejects[number] = reasons
        else:
            accepted.append(Accepted(number, int(row.id), row.name, int(row.amount), second_of(row.changed_at)))
    read = len(file.rows)
    is_over = len(rejects) * 100 > source.max_rejects_percent * (read - blank)
    return Verdict("too_many_rejects" if is_over else None, read, blank, tuple(accepted), rejects)


def reasons_of(row: Row, contract: ContractVersion) -> Reasons:
    reasons = set()
    if not row.name:
        reasons.add(("missing_required", "name"))
    if not row.amount.isdigit():
        reasons.add(("not_an_integer", "amount"))
    elif int(row.amount) > contract.max_amount:
        reasons.add(("above_maximum", "amount"))
    if not TIME.fullmatch(row.changed_at):
        reasons.add(("not_a_timestamp", "changed_at"))
    return frozenset(reasons)


def second_of(text: str) -> int:
    matched = TIME.fullmatch(text)
    assert matched is not None, text
    return int(matched[1]) * 60 + int(matched[2])


def winners(source: Source, accepted: tuple[Accepted, ...]) -> tuple[Accepted, ...]:
    """Returns the rows that are not replaced by another row of their own file."""
    if source.write is Write.APPEND:
        return accepted
    newest: dict[int, Accepted] = {}
    for row in accepted:
        current = newest.get(row.id)
        # Of equal event times, the last row wins. Without an event time, all are equal.
        if current is None or not source.has_event_time or row.second >= current.second:
            newest[row.id] = row
    return tuple(newest.values())
