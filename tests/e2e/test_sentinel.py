"""The sentinel detects missed drops, late sources and stuck batches, and removes orphans."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.files import contract, numbered, write
from support.metrics import metrics_in
from support.scenarios import receive_message
from support.stack import Stack

# Age in seconds from which the sentinel of these tests checks a drop or a receipt.
MIN_AGE_S = 3
FREQUENCY_S = 10
OFTEN = f"slaProperties:\n  - {{property: frequency, value: {FREQUENCY_S}, unit: s}}\n"
RARELY = "slaProperties:\n  - {property: frequency, value: 1, unit: d}\n"

# The report on one source.
Report = dict[str, Any]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose sentinel has short limits."""
    limits = {"MissedAfterSeconds": MIN_AGE_S, "StuckAfterSeconds": MIN_AGE_S, "OrphanAfterSeconds": MIN_AGE_S}
    values = {**limits, "LookbackSeconds": 86_400, "IgnoreKeys": "*.md5"}
    parameters = [word for name, value in values.items() for word in ("--parameter", f"{name}={value}")]
    with Stack.up(tmp_path_factory.mktemp("watched"), *parameters) as stack:
        yield stack


def contract_with_sla(folder: Path, source: str, sla: str) -> Path:
    """Writes a contract with the frequency of deliveries."""
    path = contract(folder, source)
    path.write_text(path.read_text().replace("schema:\n", f"{sla}schema:\n"))
    return path


def run_sentinel(stack: Stack) -> dict[str, Report]:
    """Runs the sentinel, and returns its report by source."""
    ran = stack.penstock("sentinel", "--json")
    assert ran.status == 0, ran.err
    return {report.pop("source"): report for report in ran.json["sources"]}


def wait_for_report(stack: Stack, source: str, matches: Callable[[Report], bool]) -> Report:
    """Runs the sentinel until its report on a source matches, and returns it."""

    def found() -> Report | None:
        report = run_sentinel(stack).get(source)
        return report if report and matches(report) else None

    report: Report = stack.wait(found, f"the report on {source}", timeout_s=30)
    return report


def drop_without_event(stack: Stack, file: Path, key: str) -> None:
    """Uploads an object and deletes its event from the drops queue."""
    stack.wait_until_quiet()
    stack.control("mappings/ingest/pause")
    try:
        stack.client("s3").put_object(Bucket=stack.bucket("raw"), Key=key, Body=file.read_bytes())
        assert json.loads(receive_message(stack, "drops"))["detail"]["object"]["key"] == key
    finally:
        stack.control("mappings/ingest/resume")
    source = key.split("/")[0]
    assert not [receipt for receipt in stack.receipts(source) if receipt["drop"]["key"] == key]


def logged(stack: Stack, message: str) -> list[dict[str, Any]]:
    """Returns the lines of the sentinel's log with this message."""
    lines = (stack.state_dir / "logs/sentinel.log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line.get("message") == message]


def requeued(stack: Stack, source: str) -> list[dict[str, Any]]:
    """Returns the log lines on drops of a source that were queued again."""
    lines = logged(stack, "drop was missed and is queued again")
    return [line for line in lines if line["source"] == source]


def test_a_drop_whose_event_was_lost_is_queued_once_and_loaded(watched: Stack, tmp_path: Path) -> None:
    key = "missed/2026/a b+c%2B&ü.csv"
    watched.publish(contract_with_sla(tmp_path, "missed", RARELY))
    file = write(tmp_path, "rows.csv", numbered(9))
    drop_without_event(watched, file, key)

    wait_for_report(watched, "missed", lambda report: report["missed_drops"] == 1)
    watched.wait(lambda: [one for one in watched.receipts("missed") if one["state"] == "loaded"], "the receipt")
    watched.wait_until_quiet()
    assert watched.query("SELECT count(*) FROM public.missed") == [(9,)]
    (receipt,) = watched.receipts("missed")
    (version,) = watched.client("s3").list_object_versions(Bucket=watched.bucket("raw"), Prefix=key)["Versions"]
    assert (receipt["drop"]["key"], receipt["drop"]["version_id"]) == (key, version["VersionId"])
    (line,) = requeued(watched, "missed")
    assert (line["bucket"], line["key"]) == (watched.bucket("raw"), key)
    assert line["version_id"] == version["VersionId"]

    report = run_sentinel(watched)["missed"]
    assert (report["missed_drops"], report["stuck_batches"], report["late"]) == (0, 0, False)
    assert len(requeued(watched, "missed")) == 1


def test_a_processed_drop_is_never_queued_again(watched: Stack, tmp_path: Path) -> None:
    refused = watched.drop(write(tmp_path, "rows.csv", numbered(3)), "stranger")
    watched.publish(contract(tmp_path, "taken"))
    loaded = watched.drop(write(tmp_path, "rows.csv", numbered(3)), "taken")
    assert (refused["state"], loaded["state"]) == ("refused", "loaded")
    for name in ("folder/", "_SUCCESS", ".hidden.csv", "_temporary/0/a.csv", "a.csv.md5"):
        body = b"" if name.endswith("/") else b"id\n1\n"
        watched.client("s3").put_object(Bucket=watched.bucket("raw"), Key=f"taken/{name}", Body=body)
    for source in ("stranger", "taken"):
        report = wait_for_report(watched, source, lambda report: report["seconds_since_drop"] > MIN_AGE_S)
        assert report["missed_drops"] == 0
        assert not requeued(watched, source)


def test_the_lost_events_of_many_sources_are_sent_by_one_run(watched: Stack, tmp_path: Path) -> None:
    watched.wait_until_quiet()
    sources = [f"many{number}" for number in range(12)]
    watched.control("mappings/ingest/pause")
    try:
        for source in sources:
            watched.client("s3").put_object(Bucket=watched.bucket("raw"), Key=f"{source}/a.csv", Body=b"id\n1\n")
        for _ in sources:
            receive_message(watched, "drops")
        time.sleep(MIN_AGE_S + 1)
        run_sentinel(watched)
        run_sentinel(watched)
        assert [len(requeued(watched, source)) for source in sources] == [1] * len(sources)
    finally:
        watched.control("mappings/ingest/resume")
    for source in sources:
        watched.wait(lambda source=source: watched.receipts(source), f"the receipt of {source}")


def test_orphans_are_removed_and_what_a_manifest_lists_is_kept(watched: Stack, tmp_path: Path) -> None:
    watched.publish(contract(tmp_path, "swept"))
    receipt = watched.drop(write(tmp_path, "rows.csv", [*numbered(9), ("x", "name", "2026-01-01T00:00:00Z")]), "swept")
    batch, s3 = receipt["batch_id"], watched.client("s3")
    (parquet,) = (key for key in watched.keys("processed", "data/") if f"/source=swept/batch={batch}/" in key)
    (rejects,) = watched.keys("quarantine", f"swept/{batch}/")
    orphans = [
        ("processed", parquet.replace(".parquet", "0.parquet")),
        ("processed", f"batches/{batch}/chunks/00000-00000-0123456789abcdef.copy.zst"),
        ("processed", parquet.replace(batch, "00000000-0000-0000-0000-000000000007")),
        ("quarantine", rejects.replace(".ndjson", "0.ndjson")),
    ]
    for bucket, key in orphans:
        s3.put_object(Bucket=watched.bucket(bucket), Key=key, Body=b"x")

    def removed() -> bool:
        run_sentinel(watched)
        return not any(key in watched.keys(bucket, key) for bucket, key in orphans)

    watched.wait(removed, "the orphans to be removed")
    assert watched.keys("processed", parquet) == [parquet]
    assert watched.keys("quarantine", rejects) == [rejects]
    lines = [line for line in logged(watched, "orphan was removed") if batch in line["key"]]
    assert sorted(line["kind"] for line in lines) == ["chunk", "parquet", "rejects"]


def test_a_source_is_late_until_it_delivers(watched: Stack, tmp_path: Path) -> None:
    watched.publish(contract_with_sla(tmp_path, "tardy", OFTEN))
    report = wait_for_report(watched, "tardy", lambda report: report["late"])
    assert report["seconds_since_drop"] is None
    line = logged(watched, "source is late")[-1]
    assert (line["source"], line["due_seconds"], line["level"]) == ("tardy", FREQUENCY_S, "WARN")

    watched.drop(write(tmp_path, "rows.csv", numbered(3)), "tardy")
    wait_for_report(watched, "tardy", lambda report: not report["late"])
    assert wait_for_report(watched, "tardy", lambda report: report["late"])["seconds_since_drop"] > FREQUENCY_S


def test_a_batch_whose_chunks_are_not_applied_is_stuck_until_they_are(watched: Stack, tmp_path: Path) -> None:
    watched.publish(contract(tmp_path, "stuck"))
    watched.control("mappings/writer/pause")
    try:
        drop = watched.drop_without_waiting(write(tmp_path, "rows.csv", numbered(5)), "stuck")
        watched.wait_for_receipt("stuck", drop["batch_id"], "read")
        wait_for_report(watched, "stuck", lambda report: report["stuck_batches"] == 1)
        line = logged(watched, "batch is stuck")[-1]
        assert (line["batch_id"], line["state"]) == (drop["batch_id"], "Read")
        assert line["age_seconds"] >= MIN_AGE_S
    finally:
        watched.control("mappings/writer/resume")
    watched.wait_for_receipt("stuck", drop["batch_id"], "loaded")
    assert run_sentinel(watched)["stuck"]["stuck_batches"] == 0
    assert not requeued(watched, "stuck")


def test_an_invalid_contract_fails_the_run_but_other_sources_are_reported(watched: Stack, tmp_path: Path) -> None:
    watched.publish(contract(tmp_path, "zebra"))
    place = {"Bucket": watched.bucket("artifacts"), "Key": "contracts/faulty/current.yaml"}
    s3, log = watched.client("s3"), watched.state_dir / "logs/sentinel.log"
    s3.put_object(**place, Body=b"kind: DataContract\n")
    try:
        lines_before = len(metrics_in(log)) if log.exists() else 0
        ran = watched.penstock("sentinel")
    finally:
        s3.delete_object(**place)
    assert ran.status == 64
    assert "faulty: contracts/faulty/current.yaml" in ran.err
    emitted = metrics_in(log)[lines_before:]
    assert {"faulty", "zebra"} <= {one.get("source") for one in emitted}
    assert not [one for one in emitted if one.get("source") == "faulty" and "late" in one]


def test_the_report_is_printed_as_a_table_and_emitted_as_metrics(watched: Stack, tmp_path: Path) -> None:
    watched.publish(contract_with_sla(tmp_path, "shown", RARELY))
    shown = watched.penstock("sentinel")
    assert shown.status == 0, shown.err
    rows = [line.split() for line in shown.out.splitlines()]
    assert rows[0] == "source late seconds since a drop missed drops stuck batches".split()
    assert ["shown", "no", "never", "0", "0"] in rows
    emitted = [one for one in metrics_in(watched.state_dir / "logs/sentinel.log") if one.get("source") == "shown"][-1]
    (metrics,) = emitted["_aws"]["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["environment", "source"]]
    assert {one["Name"]: (one["Unit"], emitted[one["Name"]]) for one in metrics["Metrics"]} == {
        "late": ("Count", 0),
        "missed_drops": ("Count", 0),
        "stuck_batches": ("Count", 0),
    }
