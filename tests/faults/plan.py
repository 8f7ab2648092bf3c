"""Draws a plan from a seed. The same seed and settings always give the same plan."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace

from faults.faultplan import draw_faults
from faults.model import (
    UNLUCKY,
    VERSIONS,
    Action,
    ByHand,
    Delivery,
    Deploy,
    Drop,
    File,
    HandKind,
    Overwrite,
    Pause,
    Phase,
    Plan,
    Poison,
    Publish,
    Row,
    RunSentinel,
    Shape,
    Source,
    Write,
)
from faults.texts import changed_at

# Ids of rows that a constraint added by hand refuses, so that no other row has their key.
UNLUCKY_IDS = 900_000
# Each object of a source that replaces has its own ids: which rows of other objects a deleted row had replaced depends
# on the order of processing, and is not restored.
IDS_PER_OBJECT = 1_000
PHASES = (2, 3)


@dataclass(frozen=True)
class Traits:
    """What a plan contains. `previous` excludes what the previous release is known to do wrong."""

    previous: bool
    publishes: bool
    ties: bool
    by_hand: bool
    lost: bool
    reconfigures: bool
    poison: bool


def draw(seed: int, *, has_previous: bool = False, without: frozenset[str] = frozenset()) -> Plan:
    """Returns the plan of a seed. `has_previous` is whether there are binaries of the previous release to deploy.
    `without` has names of traits that the plan shall not have, to find the cause of a failure."""
    rng = random.Random(f"penstock faults {seed}")
    traits = draw_traits(rng, has_previous)
    traits = replace(traits, **{name: False for name in without & TRAITS})
    sources = draw_sources(rng, seed)
    if not traits.ties:
        # Without an event time, rows of one second are equal.
        sources = tuple(replace(source, has_event_time=True) for source in sources)
    builder = Builder(rng, traits, sources)
    phases = tuple(builder.phase(number) for number in range(rng.choice(PHASES)))
    return Plan(seed, sources, phases, chunk_rows=rng.choice((20, 30, 70)))


TRAITS = frozenset(one.name for one in fields(Traits))


def draw_traits(rng: random.Random, has_previous: bool) -> Traits:
    previous = rng.random() < 0.12 and has_previous

    def chance(probability: float) -> bool:
        return rng.random() < probability and not previous

    return Traits(
        previous=previous,
        publishes=chance(0.4),
        ties=chance(0.6),
        by_hand=chance(0.25),
        lost=chance(0.4),
        reconfigures=chance(0.35),
        poison=rng.random() < 0.1,
    )


def draw_sources(rng: random.Random, seed: int) -> tuple[Source, ...]:
    sources: list[Source] = []
    for number in range(rng.choice((1, 2, 2, 3))):
        name = f"s{seed}_{number}"
        write = rng.choice((Write.UPSERT, Write.UPSERT, Write.APPEND))
        overwrite = rng.choice((Overwrite.ADD, Overwrite.ADD, Overwrite.REPLACE, Overwrite.KEEP))
        source = Source(name, name, write, overwrite, rng.choice((0, 0, 5, -3)), rng.random() < 0.7)
        shares = [other for other in sources if (other.write, other.overwrite) == (write, overwrite)]
        if shares and overwrite is Overwrite.ADD and rng.random() < 0.6:
            source = replace(source, table=shares[0].table)
        sources.append(source)
    return tuple(sources)


class Builder:
    """Draws the phases one after the other, since each depends on what earlier ones did."""

    def __init__(self, rng: random.Random, traits: Traits, sources: tuple[Source, ...]) -> None:
        self.rng, self.traits, self.sources = rng, traits, sources
        self.published = dict.fromkeys((source.name for source in sources), 0)
        self.refuses_unlucky: set[str] = set()
        self.clock = 0
        self.unlucky_id = UNLUCKY_IDS
        self.names = 0

    def phase(self, number: int) -> Phase:
        by_hand = self.by_hand() if number > 0 and self.traits.by_hand else ()
        actions: list[Action] = []
        for _ in range(self.rng.randint(2, 4)):
            actions.extend(self.drop())
            if self.traits.publishes and self.rng.random() < 0.3:
                actions.extend(self.publish())
            if self.rng.random() < 0.3:
                actions.append(Pause(round(self.rng.uniform(0.05, 0.5), 2)))
        if self.traits.lost and self.rng.random() < 0.3:
            actions.append(RunSentinel())
        if self.traits.poison and self.rng.random() < 0.5:
            actions.append(self.poison())
        actions = self.deployments(actions)
        tables = sorted({source.table for source in self.sources})
        faults = draw_faults(self.rng, tables, is_first=number == 0)
        return Phase(by_hand, tuple(actions), faults)

    # ── drops ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def drop(self) -> list[Action]:
        source = self.rng.choice(self.sources)
        name = f"{self.rng.choice('abc')}.csv"
        drops = [self.one_drop(source, name)]
        if self.traits.ties and self.rng.random() < 0.5:
            other = name if self.rng.random() < 0.5 else f"{self.rng.choice('abc')}.csv"
            drops.append(replace(self.one_drop(source, other), same_second=True))
        return list(drops)

    def one_drop(self, source: Source, name: str) -> Drop:
        return Drop(source.name, name, self.file(source, name), self.delivery())

    def delivery(self) -> Delivery:
        again = self.rng.random() < 0.25
        kind = self.rng.random()
        if self.traits.lost and kind < 0.25:
            return Delivery(now=0, again=again)
        if kind < 0.4:
            return Delivery(now=2, again=again)
        if kind < 0.55:
            return Delivery(now=0, late=True, again=again)
        return Delivery(again=again)

    def file(self, source: Source, name: str) -> File:
        self.clock += 1
        kind = self.rng.random()
        if kind < 0.03:
            return File(Shape.EMPTY, ())
        if kind < 0.06:
            return File(Shape.NO_AMOUNT, ())
        first = 1 + IDS_PER_OBJECT * "abc".index(name[0]) if source.overwrite is Overwrite.REPLACE else 1
        count = 0 if kind < 0.09 else self.rng.choice((3, 20, 20, 60, 60, 130, 260))
        is_bad = kind > 0.94
        rows = [self.row(first, is_bad) for _ in range(count)]
        # Few of many rows, so that the limit for rejects is not exceeded.
        if source.table in self.refuses_unlucky and count >= 60 and not is_bad:
            for _ in range(self.rng.randint(0, 2)):
                self.unlucky_id += 1
                unlucky = Row(str(self.unlucky_id), "unlucky", UNLUCKY, changed_at(self.clock))
                rows.insert(self.rng.randrange(len(rows)), unlucky)
        return File(Shape.TABLE, tuple(rows))

    def row(self, first: int, is_bad: bool) -> Row:
        rng = self.rng
        if rng.random() < 0.01:
            return Row("", "", "", "")
        self.names += 1
        # Half of the keys that there are, so that files have keys in common and some twice.
        key = first + rng.randrange(200)
        amount = rng.choice((rng.randint(0, 70), rng.randint(100, 499)))
        row = Row(str(key), f"name {self.names}", str(amount), changed_at(self.event_second()))
        if not is_bad and rng.random() > 0.06:
            return row
        bad = rng.choice(("missing", "text", "above", "time", "version", "two"))
        if bad == "missing":
            return replace(row, name="")
        if bad == "text":
            return replace(row, amount="many")
        if bad == "above":
            return replace(row, amount="5000")
        if bad == "time":
            return replace(row, changed_at="yesterday")
        if bad == "version":
            # The versions of the contract differ in their verdict.
            return replace(row, amount=rng.choice(("600", "900")))
        return replace(row, name="", amount="5000")

    def event_second(self) -> int:
        # With ties, the order of the drops decides; without, the order of the files.
        return self.rng.randint(0, 3) if self.traits.ties else self.clock

    # ── everything else ─────────────────────────────────────────────────────────────────────────────────────────────

    def publish(self) -> list[Action]:
        source = self.rng.choice(self.sources)
        number = self.published[source.name] + 1
        if number == len(VERSIONS):
            return []
        self.published[source.name] = number
        return [Publish(source.name, VERSIONS[number])]

    def poison(self) -> Poison:
        return self.rng.choice(
            (
                Poison("drops", "hello", "invalid_event"),
                Poison("load", "not even JSON", "invalid_message"),
                Poison("load", '{"message_version": 0}', "invalid_message"),
            )
        )

    def deployments(self, actions: list[Action]) -> list[Action]:
        """Inserts deployments. Each phase ends with the current release and its configuration."""
        functions = ("ingest", "writer")
        deploys: list[Deploy] = []
        if self.traits.previous and self.rng.random() < 0.8:
            deploys.append(Deploy(self.rng.choice((functions, ("ingest",), ("writer",))), previous=True))
        if self.traits.reconfigures:
            deploys.append(Deploy(("ingest",), chunk_rows=self.rng.choice((15, 40, 100))))
        if not self.traits.previous and self.rng.random() < 0.12:
            skew = self.rng.choice((-3600, -5, 5, 3600))
            deploys.append(Deploy(self.rng.choice((("ingest",), ("writer",), functions)), skew_s=skew))
        for deploy in deploys:
            actions.insert(self.rng.randrange(len(actions) + 1), deploy)
        return actions

    def by_hand(self) -> tuple[ByHand, ...]:
        table = self.rng.choice(self.sources).table
        kind = self.rng.choice(list(HandKind))
        if kind is HandKind.DROP_TABLE:
            self.refuses_unlucky.discard(table)
        if kind in (HandKind.ADD_CHECK, HandKind.ADD_TRIGGER):
            if table in self.refuses_unlucky:
                return ()
            self.refuses_unlucky.add(table)
        return (ByHand(kind, table),)
