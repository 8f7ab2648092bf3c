"""Drops that are repeated, damaged, replaced or refused: each has a receipt with the outcome."""

from __future__ import annotations

import gzip
import hmac
import json
from pathlib import Path

import pytest

from support.files import contract, numbered, pseudonymise, write
from support.stack import Stack

# The minimum size of a part in S3, except for the last one.
PART_BYTES = 5 * 1024 * 1024
SYSTEM_STATE = "SELECT id, name, _row, _batch_id::text, xmin::text FROM public.{} ORDER BY id"


def test_the_same_event_again_changes_nothing(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "again"))
    receipt = stack.drop(write(tmp_path, "rows.csv", numbered(40)), "again")
    before = stack.query(SYSTEM_STATE.format("again"))
    drop = receipt["drop"]
    version = {"versionId": drop["version_id"]} if "version_id" in drop else {}
    detail = {
        "bucket": {"name": drop["bucket"]},
        "object": {"key": drop["key"], "size": drop["size_bytes"], "etag": drop["etag"], **version},
    }
    event = {"source": "aws.s3", "detail-type": "Object Created", "time": drop["dropped_at"], "detail": detail}
    stack.send("drops", {"id": "again", "version": "0", "region": "eu-central-1", **event})
    stack.wait_until_quiet()
    assert stack.query(SYSTEM_STATE.format("again")) == before
    stored = stack.receipt("again", receipt["batch_id"])
    assert stored is not None
    assert stored["updated_at"] == receipt["updated_at"]


def test_the_same_bytes_under_the_same_key_are_a_new_batch_with_the_same_rows(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "twice"))
    file = write(tmp_path, "rows.csv", numbered(40))
    first = stack.drop(file, "twice", "--key", "rows.csv")
    second = stack.drop(file, "twice", "--key", "rows.csv")
    assert first["batch_id"] != second["batch_id"]
    assert second["rows"]["loaded"] + second["rows"]["superseded"] == 40
    rows = stack.query("SELECT id, name FROM public.twice ORDER BY id")
    assert rows == [(number, f"name {number}") for number in range(1, 41)]
    assert stack.query("SELECT bool_and(balanced), count(*) FROM penstock.batch WHERE source = 'twice'") == [(True, 2)]


def test_an_upload_in_parts_is_one_drop(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "parts", route="lambda"))
    rows = ((number, "n" * 200, "2026-03-01T12:00:00Z") for number in range(1, 30_001))
    body = write(tmp_path, "rows.csv", rows).read_bytes()
    place = {"Bucket": stack.bucket("raw"), "Key": "parts/rows.csv"}
    read_before = stack.control("status", method="GET")["mappings"]["ingest"]["messages_done"]
    s3 = stack.client("s3")
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    parts = []
    for number, start in enumerate(range(0, len(body), PART_BYTES), start=1):
        part = s3.upload_part(**upload, PartNumber=number, Body=body[start : start + PART_BYTES])
        parts.append({"PartNumber": number, "ETag": part["ETag"]})
    assert len(parts) == 2
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    stack.wait(lambda: [one for one in stack.receipts("parts") if one["state"] == "loaded"], "the receipt")
    stack.wait_until_quiet()
    assert [one["rows"]["loaded"] for one in stack.receipts("parts")] == [30_000]
    assert stack.control("status", method="GET")["mappings"]["ingest"]["messages_done"] == read_before + 1


def test_unknown_columns_are_rescued_and_a_repeated_key_is_loaded_once(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "extra"))
    file = tmp_path / "rows.csv"
    rows = ["1,one,2026-03-01T12:00:00Z,red", "2,two,2026-03-01T12:00:00Z,", "1,new,2026-03-02T12:00:00Z,blue"]
    file.write_text("\n".join(["id,name,updated_at,colour", *rows]) + "\n")
    receipt = stack.drop(file, "extra")
    assert receipt["rows"] == {
        "read": 3,
        "accepted": 3,
        "rejected": 0,
        "loaded": 2,
        "deduplicated": 1,
        "superseded": 0,
        "blank": 0,
        "repeated_headers": 0,
    }
    stored = stack.query("SELECT id, name, _rescued FROM public.extra ORDER BY id")
    assert stored == [(1, "new", {"colour": "blue"}), (2, "two", None)]


def test_an_older_file_that_arrives_later_does_not_replace_newer_rows(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "late"))
    stack.drop(write(tmp_path, "new.csv", numbered(30, day=9)), "late")
    receipt = stack.drop(write(tmp_path, "old.csv", numbered(50, day=2)), "late")
    assert receipt["rows"] == {
        "read": 50,
        "accepted": 50,
        "rejected": 0,
        "loaded": 20,
        "deduplicated": 0,
        "superseded": 30,
        "blank": 0,
        "repeated_headers": 0,
    }
    days = "SELECT extract(day FROM updated_at)::int, count(*) FROM public.late GROUP BY 1 ORDER BY 1"
    assert stack.query(days) == [(2, 20), (9, 30)]


def test_both_versions_of_an_overwritten_key_are_loaded(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "overwritten"))
    old = write(tmp_path, "old.csv", numbered(30, day=1))
    new = write(tmp_path, "new.csv", numbered(30, day=2, first=11))
    stack.control("mappings/ingest/pause")
    try:
        first = stack.drop_without_waiting(old, "overwritten", "--key", "rows.csv")
        second = stack.drop_without_waiting(new, "overwritten", "--key", "rows.csv")
    finally:
        stack.control("mappings/ingest/resume")
    for drop in (first, second):
        receipt = stack.wait_for_receipt("overwritten", drop["batch_id"], "loaded")
        assert receipt["rows"]["read"] == 30
    days = "SELECT extract(day FROM updated_at)::int, count(*) FROM public.overwritten GROUP BY 1 ORDER BY 1"
    assert stack.query(days) == [(1, 10), (2, 30)]


def test_a_later_version_replaces_the_earlier_one_even_without_rows(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "replaced", overwrite="replace"))
    rows = "SELECT id, extract(day FROM updated_at)::int FROM public.replaced ORDER BY id"
    other = stack.drop(write(tmp_path, "other.csv", numbered(2, first=50)), "replaced")
    first = stack.drop(write(tmp_path, "first.csv", numbered(3, day=9)), "replaced", "--key", "rows.csv")
    # Its rows have an earlier event time, and it lacks one row of the first version.
    second = stack.drop(write(tmp_path, "second.csv", numbered(3, day=2, first=2)), "replaced", "--key", "rows.csv")
    assert stack.query(rows) == [(2, 2), (3, 2), (4, 2), (50, 1), (51, 1)]
    assert second["rows"]["loaded"] == 3
    assert second["replaced"] == [{"batch_id": first["batch_id"], "rows": 1}]

    empty = stack.drop(write(tmp_path, "empty.csv", []), "replaced", "--key", "rows.csv")
    assert empty["state"] == "loaded"
    assert empty["replaced"] == [{"batch_id": second["batch_id"], "rows": 3}]
    assert stack.query(rows) == [(50, 1), (51, 1)]
    assert "replaced" not in other
    columns = "SELECT batch_id::text, replaced_by::text, withdrawn FROM penstock.object_version ORDER BY number"
    assert stack.query(columns) == [
        (other["batch_id"], None, None),
        (first["batch_id"], second["batch_id"], 1),
        (second["batch_id"], empty["batch_id"], 3),
        (empty["batch_id"], None, None),
    ]


def test_with_overwrite_keep_a_later_version_is_refused(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "kept", overwrite="keep"))
    first = stack.drop(write(tmp_path, "first.csv", numbered(3)), "kept", "--key", "rows.csv")
    second = stack.drop(write(tmp_path, "second.csv", numbered(3, day=2)), "kept", "--key", "rows.csv")
    assert (first["state"], second["state"], second["refusal"]["code"]) == ("loaded", "refused", "kept")
    assert first["batch_id"] in second["refusal"]["message"]
    assert stack.query("SELECT DISTINCT extract(day FROM updated_at)::int FROM public.kept") == [(1,)]


def test_a_source_without_a_contract_is_refused(stack: Stack, tmp_path: Path) -> None:
    receipt = stack.drop(write(tmp_path, "rows.csv", numbered(3)), "stranger")
    assert receipt["state"] == "refused"
    assert receipt["refusal"]["code"] == "no_contract"
    assert receipt["contract_version"] is None


def test_an_invalid_contract_is_named_in_the_receipt(stack: Stack, tmp_path: Path) -> None:
    key = "contracts/faulty/current.yaml"
    s3, place = stack.client("s3"), {"Bucket": stack.bucket("artifacts"), "Key": key}
    s3.put_object(**place, Body=b"kind: DataContract\n")
    receipt = stack.drop(write(tmp_path, "rows.csv", numbered(3)), "faulty")
    # Otherwise the sentinel would report it in every run.
    s3.delete_object(**place)
    assert receipt["state"] == "refused"
    assert receipt["refusal"]["code"] == "invalid_contract"
    assert key in receipt["refusal"]["message"]


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)], ids=["zero bytes", "gzip of zero bytes"])
def test_an_empty_file_is_refused(stack: Stack, tmp_path: Path, content: bytes) -> None:
    stack.publish(contract(tmp_path, "empty"))
    file = tmp_path / "empty.csv"
    file.write_bytes(content)
    receipt = stack.drop(file, "empty", "--key", f"{len(content)}.csv")
    assert (receipt["state"], receipt["refusal"]["code"]) == ("refused", "empty")
    assert receipt["rows"]["read"] == 0


def test_a_file_with_only_a_header_is_loaded_with_zero_rows(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "hollow"))
    receipt = stack.drop(write(tmp_path, "hollow.csv", []), "hollow")
    assert (receipt["state"], receipt["rows"]["read"]) == ("loaded", 0)


def test_a_truncated_gzip_file_is_unreadable_and_none_of_it_is_loaded(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "broken"))
    stack.drop(write(tmp_path, "good.csv", numbered(5)), "broken")
    whole = gzip.compress(write(tmp_path, "rows.csv", numbered(5000, day=2)).read_bytes(), mtime=0)
    file = tmp_path / "broken.csv.gz"
    file.write_bytes(whole[: len(whole) // 2])
    receipt = stack.drop(file, "broken")
    assert (receipt["state"], receipt["refusal"]["code"]) == ("refused", "unreadable")
    assert receipt["refusal"]["reason"] == "truncated_compression"
    assert stack.query("SELECT count(*) FROM public.broken") == [(5,)]
    # The drop itself is retained.
    head = stack.client("s3").head_object(Bucket=receipt["drop"]["bucket"], Key=receipt["drop"]["key"])
    assert head["ContentLength"] == len(whole) // 2


def test_a_batch_over_the_reject_limit_is_refused_as_a_whole(stack: Stack, tmp_path: Path) -> None:
    stack.publish(contract(tmp_path, "rotten"))
    stack.drop(write(tmp_path, "good.csv", numbered(5)), "rotten")
    bad = [("x", f"name {number}", "2026-01-03T00:00:00Z") for number in range(21)]
    receipt = stack.drop(write(tmp_path, "bad.csv", [*numbered(79, day=3), *bad]), "rotten")
    assert (receipt["state"], receipt["refusal"]["code"]) == ("refused", "too_many_rejects")
    assert (receipt["rows"]["read"], receipt["rows"]["rejected"], receipt["rows"]["loaded"]) == (100, 21, 0)
    assert receipt["rejects_by_reason"] == [{"code": "not_an_integer", "column": "id", "rows": 21}]
    assert [reject["row"] for reject in stack.rejects(receipt)] == list(range(80, 101))
    assert stack.query("SELECT count(*) FROM public.rotten") == [(5,)]
    assert not [key for key in stack.keys("processed", "data/") if receipt["batch_id"] in key]


def test_a_key_without_a_source_has_a_receipt(stack: Stack) -> None:
    put = stack.client("s3").put_object(Bucket=stack.bucket("raw"), Key="lost.csv", Body=b"id\n1\n")

    def found() -> bool:
        return any(
            receipt["refusal"]["code"] == "no_source" and receipt["drop"].get("version_id") == put.get("VersionId")
            for receipt in stack.receipts("_unknown")
        )

    stack.wait(found, "a receipt of lost.csv")


def test_a_pseudonym_is_computed_with_the_secret_and_the_value_is_stored_nowhere(stack: Stack, tmp_path: Path) -> None:
    stack.publish(pseudonymise(contract(tmp_path, "secret"), "name"))
    receipt = stack.drop(write(tmp_path, "rows.csv", [*numbered(5), ("x", "name 9", "2026-01-01")]), "secret")
    assert (receipt["rows"]["loaded"], receipt["rows"]["rejected"]) == (5, 1)
    key = stack.client("secretsmanager").get_secret_value(SecretId="penstock-local-pseudonym-key")["SecretString"]
    expected = [
        (number, hmac.digest(key.encode(), f"name {number}".encode(), "sha256").hex()) for number in range(1, 6)
    ]
    assert stack.query("SELECT id, name FROM public.secret ORDER BY id") == expected
    assert "name 9" not in json.dumps(stack.rejects(receipt))
