"""Drops that are too large for Lambda: the submitted job, and the result of its end."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from support.files import contract, numbered, write
from support.metrics import metrics_in
from support.stack import Receipt, Stack


@pytest.fixture
def submitted(stack: Stack, tmp_path: Path, request: pytest.FixtureRequest) -> Receipt:
    """The receipt of a drop whose Spark job is running."""
    stack.control("jobs/outcome", {"outcome": "hold"})
    source = f"spark{zlib.crc32(request.node.name.encode())}"
    stack.publish(contract(tmp_path, source, route="spark"))
    drop = stack.drop_without_waiting(write(tmp_path, "rows.csv", numbered(3)), source)
    return stack.wait_for_receipt(source, drop["batch_id"], "submitted")


def job_of(stack: Stack, receipt: Receipt) -> dict[str, Any]:
    name = f"penstock/{receipt['source']}/{receipt['batch_id']}"

    def running() -> dict[str, Any] | None:
        jobs = [job for job in stack.control("jobs", method="GET") if job["name"] == name]
        assert len(jobs) <= 1
        return next((job for job in jobs if job["state"] == "RUNNING"), None)

    job: dict[str, Any] = stack.wait(running, f"the job {name} to run")
    return job


def test_a_large_drop_goes_to_spark(stack: Stack, tmp_path: Path) -> None:
    stack.control("jobs/outcome", {"outcome": "hold"})
    stack.publish(contract(tmp_path, "large"))
    rows = [(number, "x" * 1000, "2026-01-01T00:00:00Z") for number in range(2000)]
    drop = stack.drop_without_waiting(write(tmp_path, "rows.csv", rows), "large")
    receipt = stack.wait_for_receipt("large", drop["batch_id"], "submitted")
    job = job_of(stack, receipt)
    arguments = job["jobDriver"]["sparkSubmit"]["entryPointArguments"]
    assert any(drop["batch_id"] in argument for argument in arguments)


def test_a_failed_job_is_reported_in_the_receipt(stack: Stack, submitted: Receipt) -> None:
    job = job_of(stack, submitted)
    stack.control(f"jobs/{job['jobRunId']}/outcome", {"outcome": "failed", "details": "executors were lost"})
    receipt = stack.wait_for_receipt(submitted["source"], submitted["batch_id"], "failed")
    assert receipt["refusal"]["code"] == "job_failed"
    assert "executors were lost" in receipt["refusal"]["message"]


def test_the_output_of_a_successful_job_is_loaded(stack: Stack, submitted: Receipt) -> None:
    job = job_of(stack, submitted)
    report = report_of([f"{number}\tname {number}\t2026-01-01 00:00:00+00\t\\N\t{number}\n" for number in (1, 2, 3)])
    key = f"batches/{submitted['batch_id']}/reports/00000.json"
    stack.client("s3").put_object(Bucket=stack.bucket("processed"), Key=key, Body=report)
    stack.control(f"jobs/{job['jobRunId']}/outcome", {"outcome": "success"})
    receipt = stack.wait_for_receipt(submitted["source"], submitted["batch_id"], "loaded")
    assert receipt["rows"]["loaded"] == 3
    rows = stack.query(f"SELECT id, name, _row FROM public.{submitted['source']} ORDER BY id")
    assert rows == [(number, f"name {number}", number) for number in (1, 2, 3)]
    # The metrics are the same as those of ingest, so the alarms on refused batches and on rejects cover both.
    metrics = metrics_in(stack.state_dir / "logs/job-events.log")
    [emitted] = [one for one in metrics if one["source"] == submitted["source"]]
    expected = {"environment": "local", "state": "committed", "batches": 1, "rows_read": 3, "rows_rejected": 0}
    assert emitted.items() >= expected.items()


def report_of(lines: list[str]) -> str:
    """Returns the report of a split as a Spark job writes it, with one inline chunk."""
    text = "".join(lines).encode()
    chunk = zstd_stored(text)
    return json.dumps(
        {
            "engine_version": "0.1.0",
            "split": {"index": 0, "count": 1, "range": "whole"},
            "totals": {
                "rows_read": len(lines),
                "accepted": len(lines),
                "rejected": 0,
                "bytes_read": 1,
                "bytes_decompressed": 1,
                "lines": len(lines) + 1,
                "by_reason": [],
            },
            "dialect": {"format": "delimited", "compression": "plain", "encoding": "UTF-8", "assumed": []},
            "chunks": [
                {
                    "index": 0,
                    "rows": len(lines),
                    "row_base": 0,
                    "sha256": hashlib.sha256(chunk).hexdigest(),
                    "text_bytes": len(text),
                    "body": {"inline": base64.b64encode(chunk).decode()},
                }
            ],
            "parquet": [],
            "rejects": [],
            "seconds": {},
        }
    )


def zstd_stored(content: bytes) -> bytes:
    """Returns a Zstandard frame with uncompressed content (RFC 8878): one raw block of at most 255 bytes."""
    assert len(content) <= 255
    single_segment, last_raw_block = b"\x20", (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd" + single_segment + bytes([len(content)]) + last_raw_block + content
