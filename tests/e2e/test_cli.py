"""The program `penstock`: its output, its exit status, and `.penstock/env`."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
from pathlib import Path

import pyarrow.parquet
import pytest

from support.files import contract, numbered, write
from support.stack import CONTRACTS, ROOT, Stack, penstock
from support.template import parsed, resources_of_type

RECEIPT_KEYS = {
    "receipt_version",
    "batch_id",
    "source",
    "contract_version",
    "drop",
    "state",
    "refusal",
    "rows",
    "chunks",
    "rejects_by_reason",
    "rejects",
    "dialect",
    "seconds",
    "updated_at",
}
BAD = ("x", "name", "2026-01-01T00:00:00Z")


def queue_names() -> set[str]:
    """Returns the names of the template's queues, without their prefix."""
    names = (queue["QueueName"]["Fn::Sub"] for queue in resources_of_type(parsed(), "AWS::SQS::Queue").values())
    return {name.removeprefix("penstock-${Environment}-") for name in names}


def test_drop_prints_the_whole_receipt(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "printed"))
    receipt = stack.drop(write(tmp_path, "rows.csv", [*numbered(9), BAD]), "printed")
    assert receipt.keys() == RECEIPT_KEYS
    assert receipt["rows"].keys() == {
        "read",
        "accepted",
        "rejected",
        "loaded",
        "deduplicated",
        "superseded",
        "blank",
        "repeated_headers",
    }
    assert receipt["rejects_by_reason"] == [{"code": "not_an_integer", "column": "id", "rows": 1}]
    assert receipt["dialect"]["delimiter"] == ","
    assert "delimiter" in receipt["dialect"]["assumed"]
    assert {"upload", "total"} < receipt["seconds"].keys()
    assert all(seconds >= 0 for seconds in receipt["seconds"].values())
    assert all(uri.startswith(f"s3://{stack.bucket('quarantine')}/printed/") for uri in receipt["rejects"])


def test_drop_prints_a_readable_summary(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "shown"))
    file = write(tmp_path, "rows.csv", [*numbered(9), BAD])
    shown = stack.penstock("drop", file, "--source", "shown", "--wait", "--timeout", "60")
    assert shown.status == 0
    assert "10 read = 9 loaded + 1 rejected + 0 deduplicated + 0 superseded" in shown.out
    assert 'delimiter "," (assumed)' in shown.out


def test_the_exit_status_of_drop_depends_on_the_state(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "states"))
    good = write(tmp_path, "good.csv", numbered(5))
    bad = write(tmp_path, "bad.csv", [BAD])
    wait = ("--source", "states", "--wait", "--timeout", "60")
    assert stack.penstock("drop", good, *wait).status == 0
    assert stack.penstock("drop", bad, *wait).status == 2
    stack.control("mappings/ingest/pause")
    try:
        assert stack.penstock("drop", good, "--source", "states", "--wait", "--timeout", "1").status == 4
    finally:
        stack.control("mappings/ingest/resume")
    assert stack.penstock("drop", tmp_path / "none.csv", *wait).status == 64


def test_status_lists_receipts_and_queues(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "listed"))
    receipt = stack.drop(write(tmp_path, "rows.csv", numbered(5)), "listed")
    listed = stack.penstock("status", "--source", "listed", "--json").json
    assert [one["batch_id"] for one in listed["receipts"]["listed"]] == [receipt["batch_id"]]
    assert listed["queues"].keys() == queue_names()
    shown = stack.penstock("status", "--source", "listed")
    assert receipt["batch_id"] in shown.out
    assert "load-dead-letters" in shown.out
    writers = listed["writers"]
    assert writers, "the writer that loaded the file"
    for state in writers:
        assert state["min_rows_per_second"] == 2000
        assert state["waits_for_instance"] is None
    assert "rows/s budget" in shown.out


def test_a_misspelt_source_has_a_suggestion(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "suggested"))
    file = write(tmp_path, "rows.csv", numbered(2))
    batch = stack.drop(file, "suggested")["batch_id"]
    meant = "did you mean `suggested`?"
    assert meant in stack.penstock("status", "--source", "sugested").out
    assert meant in stack.penstock("rejects", batch, "--source", "suggestde").err
    dropped = stack.penstock("drop", file, "--source", "suggestet", "--wait", "--timeout", "60")
    assert (dropped.status, meant in dropped.err) == (2, True)
    assert "did you mean the source `suggested`?" in dropped.out
    shown = stack.penstock("status", "--source", "suggestet").out
    assert "no_contract: s3://" in shown
    assert "did you mean" not in stack.penstock("status", "--source", "something-else").out


def test_a_published_version_cannot_be_changed(stack: Stack, tmp_path: Path) -> None:
    path = contract(tmp_path, "fixed")
    stack.publish(path)
    stack.publish(path)
    path.write_text(path.read_text().replace("logicalType: string", "logicalType: string\n        unique: true"))
    refused = stack.penstock("contract", "publish", path)
    assert refused.status == 64
    assert "a change needs a new version" in refused.err
    # A unique column is a breaking change: files that were accepted may be refused.
    path.write_text(path.read_text().replace("version: 1.0.0", "version: 1.1.0"))
    refused = stack.penstock("contract", "publish", path)
    assert refused.status == 64
    assert "breaking changes need a new major version: 1.0.0 → 2.0.0, not 1.1.0" in refused.err
    stack.publish(contract(tmp_path, "fixed", version="1.1.0"))
    # Publishing an earlier version again is allowed.
    stack.publish(contract(tmp_path, "fixed", version="1.0.0"))
    keys = stack.keys("artifacts", "contracts/fixed/")
    assert keys == [f"contracts/fixed/{name}.yaml" for name in ("1.0.0", "1.1.0", "current")]


def test_a_shell_can_source_the_variables(stack: Stack) -> None:
    script = '. "$1" && printf "%s %s" "$PENSTOCK_RAW_BUCKET" "$PENSTOCK_DATABASE_URL"'
    command = ["sh", "-c", script, "sh", str(stack.state_dir / "env")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == f"{stack.bucket('raw')} {stack.database_url}"
    assert (stack.state_dir / "env").stat().st_mode & 0o077 == 0


def test_without_a_stack_the_message_has_instructions(tmp_path: Path) -> None:
    for arguments in (["status"], ["drop", str(CONTRACTS / "abt.yaml"), "--source", "abt"]):
        done = penstock(tmp_path, *arguments)
        assert done.status == 64
        assert "the stack is not up: run `make up`" in done.err


def test_the_exit_status_of_check_depends_on_the_verdict(tmp_path: Path) -> None:
    path = contract(tmp_path, "checked")

    def check(name: str, content: bytes) -> int:
        (tmp_path / name).write_bytes(content)
        return penstock(tmp_path, "check", "--contract", path, tmp_path / name).status

    good = write(tmp_path, "good.csv", numbered(20)).read_bytes()
    some = write(tmp_path, "some.csv", [*numbered(20), BAD]).read_bytes()
    many = write(tmp_path, "many.csv", [*numbered(2), BAD]).read_bytes()
    assert [check(f"{index}.csv", content) for index, content in enumerate([good, some, many])] == [0, 1, 2]
    assert check("broken.csv.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03cut off") == 3
    assert check("empty.csv", b"") == 2
    assert penstock(tmp_path, "check", "--contract", path, tmp_path / "none.csv").status == 64


def test_check_and_drop_report_the_same_counts(stack: Stack, feeds: Path, tmp_path: Path) -> None:
    file, out = feeds / "nordwind.csv", tmp_path / "rejects.ndjson"
    checked = penstock(tmp_path, "check", "--contract", CONTRACTS / "nordwind.yaml", file, "--rejects", out, "--json")
    assert checked.status == 1
    receipt = stack.drop(file, "nordwind")
    [counts] = checked.json["files"]
    rows = receipt["rows"]
    assert (counts["rows_read"], counts["accepted"], counts["rejected"]) == (
        rows["read"],
        rows["accepted"],
        rows["rejected"],
    )
    assert counts["by_reason"] == receipt["rejects_by_reason"]
    assert counts["dialect"] == receipt["dialect"]
    assert [json.loads(line) for line in out.read_text().split("\n") if line] == stack.rejects(receipt)


CHECK_KEYS = {
    "file",
    "source",
    "contract_version",
    "verdict",
    "refusal",
    "rows_read",
    "accepted",
    "rejected",
    "deduplicated",
    "bytes_read",
    "bytes_decompressed",
    "lines",
    "by_reason",
    "dialect",
    "seconds",
    "rows_per_second",
}


def test_check_accepts_files_patterns_and_standard_input_and_exits_with_the_worst_verdict(tmp_path: Path) -> None:
    path = contract(tmp_path, "many")
    good = write(tmp_path, "a1.csv", numbered(20))
    write(tmp_path, "a2.csv", [*numbered(20), BAD])
    rejects = tmp_path / "rejects.ndjson"
    arguments = ["check", "--contract", str(path), "--json", "--rejects", str(rejects), str(tmp_path / "a?.csv"), "-"]
    checked = penstock(tmp_path, *arguments, stdin=good.read_bytes())
    assert checked.status == 1
    assert checked.json["verdict"] == "some_rejected"
    files = checked.json["files"]
    assert [Path(one["file"]).name for one in files] == ["a1.csv", "a2.csv", "-"]
    assert [one["verdict"] for one in files] == ["accepted", "some_rejected", "accepted"]
    assert files[0].keys() == CHECK_KEYS
    page = (ROOT / "docs/check.md").read_text()
    assert all(f".{key}`" in page or f".{key}[]`" in page for key in CHECK_KEYS)
    [reject] = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert Path(reject["file"]).name == "a2.csv"
    assert penstock(tmp_path, "check", "--contract", path, str(tmp_path / "none*.csv")).status == 64


def test_check_writes_the_rows_that_would_be_loaded_in_three_formats(tmp_path: Path) -> None:
    path = contract(tmp_path, "written")
    newer = (2, 'new "name"', "2026-02-01T00:00:00Z")
    rows = [*numbered(20), BAD, newer]
    file = write(tmp_path, "rows.csv", [])
    with file.open("a") as out:
        csv.writer(out).writerows(rows)
    expected = [(number, f"name {number}") for number in range(1, 21) if number != 2] + [(2, 'new "name"')]
    for name in ("out.csv", "out.ndjson", "out.parquet"):
        out_path = tmp_path / name
        assert penstock(tmp_path, "check", "--contract", path, file, "--accepted", out_path).status == 1
        if name == "out.csv":
            read = [{**row, "id": int(row["id"])} for row in csv.DictReader(out_path.open())]
        elif name == "out.ndjson":
            read = [json.loads(line) for line in out_path.read_text().splitlines()]
        else:
            read = pyarrow.parquet.read_table(out_path).to_pylist()
        assert [(row["id"], row["name"]) for row in read] == expected, name
    assert penstock(tmp_path, "check", "--contract", path, file, "--accepted", tmp_path / "out.txt").status == 64
    refused = write(tmp_path, "bad.csv", [BAD])
    assert penstock(tmp_path, "check", "--contract", path, refused, "--accepted", tmp_path / "out.csv").status == 2
    assert (tmp_path / "out.csv").read_text() == "id,name,updated_at,_rescued\n"


def test_check_reads_an_object_in_s3(stack: Stack, tmp_path: Path) -> None:
    body = write(tmp_path, "rows.csv", numbered(30)).read_bytes()
    stack.client("s3").put_object(Bucket=stack.bucket("artifacts"), Key="samples/rows.csv.gz", Body=gzip.compress(body))
    path = contract(tmp_path, "object")
    uri = f"s3://{stack.bucket('artifacts')}/samples/rows.csv.gz"
    out = tmp_path / "out.ndjson"
    checked = stack.penstock("check", "--contract", path, uri, "--json", "--accepted", out)
    assert checked.status == 0, checked.err
    assert checked.json["files"][0]["accepted"] == 30
    assert len(out.read_text().splitlines()) == 30
    missing = stack.penstock("check", "--contract", path, f"{uri}.none")
    assert (missing.status, "no such object" in missing.err) == (64, True)


def test_lint_prints_the_line(tmp_path: Path) -> None:
    path = contract(tmp_path, "linted")
    assert penstock(tmp_path, "contract", "lint", path).status == 0
    path.write_text(path.read_text().replace("logicalType: integer", "logicalType: whole"))
    linted = penstock(tmp_path, "contract", "lint", path)
    assert linted.status == 1
    line = path.read_text().split("\n").index("        logicalType: whole") + 1
    assert f"{path}:{line}:" in linted.err


@pytest.mark.parametrize("name", ["nordwind.csv", "lakeside.ndjson", "orient.csv"])
def test_an_inferred_contract_accepts_the_sample_and_is_published(
    stack: Stack, feeds: Path, tmp_path: Path, name: str
) -> None:
    file = next(path for path in feeds.iterdir() if path.name.startswith(name.split(".")[0]))
    source, path = f"inferred_{name.split('.')[0]}", tmp_path / "inferred.yaml"
    inferred = penstock(tmp_path, "contract", "infer", file, "--source", source, "--out", path, "--json")
    assert inferred.status == 0, inferred.err
    assert inferred.json["yaml"] == path.read_text()
    assert penstock(tmp_path, "contract", "lint", path).status == 0
    checked = penstock(tmp_path, "check", "--contract", path, file, "--json").json["files"][0]
    malformed = {"malformed_quote", "too_few_fields", "too_many_fields", "invalid_json", "invalid_encoding"}
    assert {reason["code"] for reason in checked["by_reason"]} <= malformed | {"nul_character", "record_too_long"}
    assert checked["accepted"] > 0.9 * inferred.json["rows"]
    # An existing file is not overwritten.
    assert penstock(tmp_path, "contract", "infer", file, "--out", path).status == 64
    stack.publish(path)
    assert stack.drop(file, source)["rows"]["accepted"] == checked["accepted"]
