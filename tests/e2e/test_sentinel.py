"""What the sentinel finds of what did not happen: drops that nobody took, sources that are late, batches that hang."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.files import contract, numbered, write
from support.metrics import metrics_in
from support.round import take_message
from support.stack import Stack

# So old must a drop or a receipt be here for the sentinel to think of it, in seconds.
PATIENCE_S = 3
OFTEN_S = 10
OFTEN = f"slaProperties:\n  - {{property: frequency, value: {OFTEN_S}, unit: s}}\n"
RARELY = "slaProperties:\n  - {property: frequency, value: 1, unit: d}\n"

Seen = dict[str, Any]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of which the sentinel expects more haste."""
    limits = {"MissedAfterSeconds": PATIENCE_S, "StuckAfterSeconds": PATIENCE_S, "LookbackSeconds": 86_400}
    parameters = [word for name, value in limits.items() for word in ("--parameter", f"{name}={value}")]
    with Stack.up(tmp_path_factory.mktemp("watched"), *parameters) as stack:
        yield stack


def promise(folder: Path, source: str, sla: str) -> Path:
    """A contract that says how often the source delivers."""
    path = contract(folder, source)
    path.write_text(path.read_text().replace("schema:\n", f"{sla}schema:\n"))
    return path


def look(stack: Stack) -> dict[str, Seen]:
    """What a run sees, by source."""
    ran = stack.penstock("sentinel", "--json")
    assert ran.status == 0, ran.err
    return {seen.pop("source"): seen for seen in ran.json["sources"]}


def wait_for_sight(stack: Stack, source: str, what: Callable[[Seen], bool]) -> Seen:
    """The first sight of a source that is so."""

    def found() -> Seen | None:
        seen = look(stack).get(source)
        return seen if seen and what(seen) else None

    sight: Seen = stack.wait(found, f"the sentinel's sight of {source}", timeout_s=30)
    return sight


def lose(stack: Stack, file: Path, key: str) -> None:
    """Puts an object whose event is lost on the way to ingest."""
    stack.wait_until_quiet()
    stack.control("mappings/ingest/pause")
    try:
        stack.client("s3").put_object(Bucket=stack.bucket("raw"), Key=key, Body=file.read_bytes())
        assert json.loads(take_message(stack, "drops"))["detail"]["object"]["key"] == key
    finally:
        stack.control("mappings/ingest/resume")
    source = key.split("/")[0]
    assert not [receipt for receipt in stack.receipts(source) if receipt["drop"]["key"] == key]


def logged(stack: Stack, message: str) -> list[dict[str, Any]]:
    """The sentinel's lines with this message."""
    lines = (stack.state_dir / "logs/sentinel.log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line.get("message") == message]


def given_again(stack: Stack, source: str) -> list[dict[str, Any]]:
    """The lines on drops of a source that were given to ingest again."""
    lines = logged(stack, "drop was missed and is queued again")
    return [line for line in lines if line["source"] == source]


def test_a_drop_whose_event_was_lost_is_found_loaded_and_then_left_alone(watched: Stack, tmp_path: Path) -> None:
    key = "missed/2026/a b+c%2B&ü.csv"
    watched.publish(promise(tmp_path, "missed", RARELY))
    file = write(tmp_path, "rows.csv", numbered(9))
    lose(watched, file, key)

    wait_for_sight(watched, "missed", lambda seen: seen["missed_drops"] == 1)
    watched.wait(lambda: [one for one in watched.receipts("missed") if one["state"] == "loaded"], "the receipt")
    watched.wait_until_quiet()
    assert watched.query("SELECT count(*) FROM public.missed") == [(9,)]
    (receipt,) = watched.receipts("missed")
    (version,) = watched.client("s3").list_object_versions(Bucket=watched.bucket("raw"), Prefix=key)["Versions"]
    assert (receipt["drop"]["key"], receipt["drop"]["version_id"]) == (key, version["VersionId"])
    (line,) = given_again(watched, "missed")
    assert (line["bucket"], line["key"]) == (watched.bucket("raw"), key)
    assert line["version_id"] == version["VersionId"]

    seen = look(watched)["missed"]
    assert (seen["missed_drops"], seen["stuck_batches"], seen["late"]) == (0, 0, False)
    assert len(given_again(watched, "missed")) == 1


def test_a_drop_that_was_taken_is_never_given_again(watched: Stack, tmp_path: Path) -> None:
    refused = watched.drop(write(tmp_path, "rows.csv", numbered(3)), "stranger")
    watched.publish(contract(tmp_path, "taken"))
    loaded = watched.drop(write(tmp_path, "rows.csv", numbered(3)), "taken")
    assert (refused["state"], loaded["state"]) == ("refused", "loaded")
    watched.client("s3").put_object(Bucket=watched.bucket("raw"), Key="taken/folder/", Body=b"")
    for source in ("stranger", "taken"):
        seen = wait_for_sight(watched, source, lambda seen: seen["seconds_since_drop"] > PATIENCE_S)
        assert seen["missed_drops"] == 0
        assert not given_again(watched, source)


def test_a_source_is_late_until_it_delivers(watched: Stack, tmp_path: Path) -> None:
    watched.publish(promise(tmp_path, "tardy", OFTEN))
    seen = wait_for_sight(watched, "tardy", lambda seen: seen["late"])
    assert seen["seconds_since_drop"] is None
    line = logged(watched, "source is late")[-1]
    assert (line["source"], line["due_seconds"], line["level"]) == ("tardy", OFTEN_S, "WARN")

    watched.drop(write(tmp_path, "rows.csv", numbered(3)), "tardy")
    wait_for_sight(watched, "tardy", lambda seen: not seen["late"])
    assert wait_for_sight(watched, "tardy", lambda seen: seen["late"])["seconds_since_drop"] > OFTEN_S


def test_a_batch_whose_chunks_are_not_applied_is_stuck_until_they_are(watched: Stack, tmp_path: Path) -> None:
    watched.publish(contract(tmp_path, "stuck"))
    watched.control("mappings/writer/pause")
    try:
        drop = watched.drop_and_leave(write(tmp_path, "rows.csv", numbered(5)), "stuck")
        watched.wait_for_receipt("stuck", drop["batch_id"], "loading")
        wait_for_sight(watched, "stuck", lambda seen: seen["stuck_batches"] == 1)
        line = logged(watched, "batch is stuck")[-1]
        assert (line["batch_id"], line["state"]) == (drop["batch_id"], "Loading")
        assert line["age_seconds"] >= PATIENCE_S
    finally:
        watched.control("mappings/writer/resume")
    watched.wait_for_receipt("stuck", drop["batch_id"], "loaded")
    assert look(watched)["stuck"]["stuck_batches"] == 0
    assert not given_again(watched, "stuck")


def test_a_contract_that_cannot_be_read_fails_the_run_and_hides_no_other_source(watched: Stack, tmp_path: Path) -> None:
    watched.publish(contract(tmp_path, "zebra"))
    place = {"Bucket": watched.bucket("artifacts"), "Key": "contracts/faulty/current.yaml"}
    s3, log = watched.client("s3"), watched.state_dir / "logs/sentinel.log"
    s3.put_object(**place, Body=b"kind: DataContract\n")
    try:
        told_before = len(metrics_in(log)) if log.exists() else 0
        ran = watched.penstock("sentinel")
    finally:
        s3.delete_object(**place)
    assert ran.status == 64
    assert "faulty: contracts/faulty/current.yaml" in ran.err
    told = metrics_in(log)[told_before:]
    assert {"faulty", "zebra"} <= {one["source"] for one in told}
    assert not [one for one in told if one["source"] == "faulty" and "late" in one]


def test_what_was_seen_is_shown_as_a_table_and_told_as_metrics(watched: Stack, tmp_path: Path) -> None:
    watched.publish(promise(tmp_path, "shown", RARELY))
    shown = watched.penstock("sentinel")
    assert shown.status == 0, shown.err
    rows = [line.split() for line in shown.out.splitlines()]
    assert rows[0] == "source late seconds since a drop missed drops stuck batches".split()
    assert ["shown", "no", "never", "0", "0"] in rows
    told = [one for one in metrics_in(watched.state_dir / "logs/sentinel.log") if one["source"] == "shown"][-1]
    (metrics,) = told["_aws"]["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["environment", "source"]]
    assert {one["Name"]: (one["Unit"], told[one["Name"]]) for one in metrics["Metrics"]} == {
        "late": ("Count", 0),
        "missed_drops": ("Count", 0),
        "stuck_batches": ("Count", 0),
    }
