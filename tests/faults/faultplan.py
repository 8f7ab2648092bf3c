"""Draws the faults of a phase."""

from __future__ import annotations

import random

from faults.model import Fault, FaultKind

# What a function writes or sends at a critical moment: part of the path of a PUT, or of the body of a message.
CRITICAL_REQUESTS = {
    "ingest": ("claim", "manifest", "receipt", "chunks sent", "published", "chunk"),
    "writer": ("receipt", "delay"),
}
# Seconds from the start of a phase within which its faults begin.
WINDOW_S = 1.5


def draw_faults(rng: random.Random, tables: list[str], *, is_first: bool) -> tuple[Fault, ...]:
    """Returns up to three faults. In the first phase the tables do not exist yet."""
    count = rng.choice((0, 1, 1, 2, 2, 3))
    kinds = [kind for kind in FaultKind if not (is_first and kind in (FaultKind.LOCKED_TABLE, FaultKind.DEADLOCK))]
    return tuple(draw_fault(rng, rng.choice(kinds), tables) for _ in range(count))


def draw_fault(rng: random.Random, kind: FaultKind, tables: list[str]) -> Fault:
    at_s = round(rng.uniform(0, WINDOW_S), 2)
    short_s, long_s = round(rng.uniform(0.3, 1.5), 2), round(rng.uniform(1, 3.5), 2)
    function = rng.choice(("ingest", "writer"))
    if kind is FaultKind.KILL:
        return Fault(kind, at_s, target=function)
    if kind is FaultKind.FREEZE:
        return Fault(kind, at_s, round(rng.uniform(1, 5), 2), function)
    if kind is FaultKind.KILL_AT_REQUEST:
        request = rng.choice(CRITICAL_REQUESTS[function])
        return Fault(kind, 0.0, 6.0, f"{function} {request}", rng.choice((1, 1, 2, 3)), rng.random() < 0.5)
    if kind in (FaultKind.LOCKED_TABLE, FaultKind.DEADLOCK):
        return Fault(kind, at_s, long_s, rng.choice(tables))
    if kind in (FaultKind.DATABASE_SILENT, FaultKind.AWS_SILENT, FaultKind.S3_SLOW_DOWN, FaultKind.DISK_FULL):
        return Fault(kind, at_s, long_s)
    if kind in (FaultKind.S3_TRUNCATED, FaultKind.AWS_LOST_ANSWER, FaultKind.AWS_CUT):
        return Fault(kind, at_s, short_s, number=rng.choice((2, 3, 5)))
    return Fault(kind, at_s)
