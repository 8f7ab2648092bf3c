"""The oracle's rules, without a stack."""

from __future__ import annotations

import pytest

from faults.model import (
    UNLUCKY,
    VERSIONS,
    Action,
    ByHand,
    Delivery,
    Drop,
    Dropped,
    Facts,
    File,
    HandKind,
    Overwrite,
    Pause,
    Phase,
    Plan,
    Publish,
    Row,
    RunSentinel,
    Shape,
    Source,
    Write,
)
from faults.oracle import Choice, Expected, ImpossibleChoice, Range, batch_id, expect, possible_versions
from faults.texts import changed_at
from faults.verdicts import judge

ONCE = Delivery()


def source(write: Write = Write.UPSERT, overwrite: Overwrite = Overwrite.ADD, **changes: object) -> Source:
    fields = {"name": "s", "table": "s", "priority": 0, "has_event_time": True} | changes
    return Source(write=write, overwrite=overwrite, **fields)  # type: ignore[arg-type]


def row(key: int, name: str = "x", second: int = 0, amount: str = "1") -> Row:
    return Row(str(key), name, amount, changed_at(second))


def drop(name: str, *rows: Row, of: str = "s", delivery: Delivery = ONCE) -> Drop:
    return Drop(of, name, File(Shape.TABLE, rows), delivery)


def plan(sources: Source | tuple[Source, ...], *phases: tuple[Action, ...]) -> Plan:
    sources = sources if isinstance(sources, tuple) else (sources,)
    return Plan(0, sources, tuple(Phase((), actions, ()) for actions in phases))


def facts(of: Plan, times: str = "") -> Facts:
    """The second of each drop is a digit of `times`, by default its number. Sequencers increase."""
    dropped: list[Dropped] = []
    for phase, one in enumerate(of.phases):
        for index, action in enumerate(one.actions):
            if isinstance(action, Drop):
                number = len(dropped)
                second = times[number] if times else str(number)
                when = f"2026-06-01T00:00:0{second}Z"
                dropped.append(Dropped(phase, index, action, f"v{number}", "", when, f"{number:04X}"))
    return Facts("raw", dropped)


def run(of: Plan, times: str = "", **more: object) -> Expected:
    chosen = more.get("choices", {})
    by_hand = more.get("by_hand", [])
    return expect(of, facts(of, times), chosen, by_hand)  # type: ignore[arg-type]


def names(expected: Expected, table: str = "s") -> list[tuple[int, str]]:
    return sorted((one.id, one.name) for one in expected.tables[table])


def test_the_latest_event_time_wins_then_the_priority_then_the_time_of_the_drop() -> None:
    pair = (drop("a", row(1, "newer", 5), row(2, "first")), drop("b", row(1, "older", 4), row(2, "second")))
    assert names(run(plan(source(), pair))) == [(1, "newer"), (2, "second")]
    sources = (source(name="high", priority=1), source(name="low", priority=0))
    pair = (drop("a", row(1, "high"), of="high"), drop("b", row(1, "low"), of="low"))
    assert names(run(plan(sources, pair))) == [(1, "high")]


def test_within_a_second_the_key_decides_for_two_objects_and_the_sequencer_for_one() -> None:
    two = plan(source(), (drop("b", row(1, "of b")), drop("a", row(1, "of a"))))
    assert names(run(two, "00")) == [(1, "of b")]
    one = plan(source(), (drop("a", row(1, "first")), drop("a", row(1, "second"))))
    assert names(run(one, "00")) == [(1, "second")]


def test_without_an_event_time_the_time_of_the_drop_decides() -> None:
    pair = (drop("a", row(1, "first", 9)), drop("b", row(1, "second", 1)))
    assert names(run(plan(source(has_event_time=False), pair))) == [(1, "second")]
    twice = drop("a", row(1, "first", 9), row(1, "last", 1))
    assert names(run(plan(source(has_event_time=False), (twice,)))) == [(1, "last")]


def test_append_stores_every_row_and_a_repeated_event_stores_none() -> None:
    twice = Delivery(now=2, again=True)
    expected = run(plan(source(Write.APPEND), (drop("a", row(1), row(1), delivery=twice), drop("a", row(1)))))
    assert names(expected) == [(1, "x")] * 3


def test_replace_stores_the_last_version_of_each_object_that_is_not_refused() -> None:
    bad = drop("a", *(row(key, "") for key in range(5)))
    versions = (drop("a", row(1, second=9), row(2)), drop("b", row(3)), drop("a", row(1, "new")), bad)
    for write in Write:
        expected = run(plan(source(write, Overwrite.REPLACE), versions))
        assert names(expected) == [(1, "new"), (3, "x")]
    batches = expected.batches
    assert (batches["v0"].superseded, batches["v2"].superseded) == (Range(0, 2), Range(0, 0))
    assert batches["v3"].refusal == "too_many_rejects"


def test_keep_stores_one_version_and_refuses_the_others() -> None:
    of = plan(source(Write.APPEND, Overwrite.KEEP), (drop("a", row(1)), drop("a", row(2))), (drop("a", row(3)),))
    first = {"v1": Choice("1.0.0", is_excluded=True), "v2": Choice("1.0.0", is_excluded=True)}
    assert names(run(of, choices=first)) == [(1, "x")]
    second = {"v0": Choice("1.0.0", is_excluded=True), "v2": Choice("1.0.0", is_excluded=True)}
    assert names(run(of, choices=second)) == [(2, "x")]
    for wrong in ({}, {"v0": Choice("1.0.0", is_excluded=True)}, dict.fromkeys(("v0", "v1", "v2"), first["v1"])):
        with pytest.raises(ImpossibleChoice):
            run(of, choices=wrong)


def test_counts_that_depend_on_the_order_are_ranges() -> None:
    first = (drop("a", row(1, "old", 1), row(2, "old", 1), row(2, "new", 2)), drop("b", row(1, "new", 2)))
    second = (drop("c", row(1, "late", 0), row(9, "other", 0)),)
    batches = run(plan(source(), first, second)).batches
    assert (batches["v0"].deduplicated, batches["v0"].to_load, batches["v0"].superseded) == (1, 2, Range(0, 1))
    assert batches["v1"].superseded == Range(0, 0)
    assert batches["v2"].superseded == Range(1, 1)


def test_a_drop_is_processed_under_a_version_that_was_current_at_its_first_event() -> None:
    second = Publish("s", VERSIONS[1])
    early, late = drop("a", row(1)), drop("a", row(1), delivery=Delivery(now=0, late=True))

    def possible(*actions: Action) -> set[str]:
        of = plan(source(), actions)
        return possible_versions(of, facts(of).dropped[0])

    assert possible(early, Pause(0)) == {"1.0.0"}
    assert possible(early, second) == {"1.0.0", "2.0.0"}
    assert possible(second, early) == {"2.0.0"}
    assert possible(late, second) == {"2.0.0"}
    assert possible(late, RunSentinel(), second) == {"1.0.0", "2.0.0"}
    of = plan(source(), (early,), (second,))
    with pytest.raises(ImpossibleChoice):
        run(of, choices={"v0": Choice("2.0.0")})


def test_versions_of_the_contract_differ_in_their_verdict() -> None:
    file = File(Shape.TABLE, (*(row(key) for key in range(9)), row(10, amount="600"), Row("", "", "", "")))
    first, second = judge(source(), VERSIONS[0], file), judge(source(), VERSIONS[1], file)
    assert (len(first.accepted), first.rejects, first.blank) == (10, {}, 1)
    assert second.rejects == {10: frozenset({("above_maximum", "amount")})}
    assert second.refusal is None


def test_a_table_that_was_dropped_by_hand_has_only_later_rows() -> None:
    of = plan(source(), (drop("a", row(1)),), (drop("a", row(2)),))
    assert names(run(of, by_hand=[(1, ByHand(HandKind.DROP_TABLE, "s"))])) == [(2, "x")]
    dropped = run(of, by_hand=[(1, ByHand(HandKind.DROP_COLUMN, "s"))]).tables["s"]
    assert sorted((one.id, one.amount) for one in dropped) == [(1, None), (2, 1)]


def test_rows_that_a_constraint_refuses_are_rejects_once_it_exists() -> None:
    unlucky = row(1, amount=UNLUCKY)
    of = plan(source(), (drop("a", unlucky),), (drop("b", row(2), unlucky),))
    expected = run(of, by_hand=[(1, ByHand(HandKind.ADD_CHECK, "s"))])
    assert sorted(one.id for one in expected.tables["s"]) == [1, 2]
    assert list(expected.batches["v1"].rejects) == [2]
    assert expected.batches["v1"].to_load == 1


def test_the_id_of_a_batch_is_that_of_the_engine() -> None:
    # The same drop as in shared/pipeline/tests/wire.rs.
    of = Dropped(0, 0, drop("2026/abt.csv", of="abt"), "v1", "", "", "")
    assert batch_id("raw", of, "1.0.0") == "b682f0ba-8dde-5aea-8d47-e7c3a87d9f0c"
