"""Parquet and Avro files, written by independent libraries, loaded into a table."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import fastavro
import pyarrow
import pyarrow.parquet
import pytest

from support.stack import Stack

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: test-{source}
name: {source}
version: 1.0.0
status: active
servers:
  - {{server: raw, type: s3, location: s3://raw/{source}/, format: {format}}}
customProperties:
  - {{property: penstock.eventTime, value: changed_at}}
schema:
  - name: {source}
    physicalName: public.{source}
    properties:
      - {{name: id, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}}
      - {{name: title, physicalName: Title, logicalType: string, required: true, logicalTypeOptions: {{maxLength: 20}}}}
      - {{name: price, logicalType: number, physicalType: "numeric(12,2)", logicalTypeOptions: {{minimum: 0}}}}
      - {{name: is_new, logicalType: boolean}}
      - {{name: sold_on, logicalType: date}}
      - {{name: changed_at, logicalType: timestamp, required: true}}
      - {{name: tags, logicalType: array}}
      - {{name: size, logicalType: object}}
"""
UTC = datetime.timezone.utc
COUNT = 2_500


def row(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "Title": f"thing {number}",
        "price": decimal.Decimal(number).scaleb(-2),
        "is_new": number % 2 == 0,
        "sold_on": datetime.date(2026, 1, 1) + datetime.timedelta(days=number % 300),
        "changed_at": datetime.datetime(2026, 1, 1, tzinfo=UTC) + datetime.timedelta(microseconds=number),
        "tags": ["a", f"b{number}"],
        "size": {"width": number, "unit": "mm"},
        "colour": "red" if number == 7 else None,
    }


def rows() -> list[dict[str, Any]]:
    """Returns rows of which the last two are invalid, the last one for two reasons."""
    bad = [
        {**row(COUNT + 1), "price": decimal.Decimal("-1.00")},
        {**row(COUNT + 2), "Title": "t" * 21, "changed_at": None},
    ]
    # A row that replaces the first one.
    newer = {**row(1), "Title": "newer", "changed_at": datetime.datetime(2026, 2, 1, tzinfo=UTC)}
    return [*map(row, range(1, COUNT + 1)), newer, *bad]


def write_parquet(path: Path) -> None:
    schema = pyarrow.schema(
        [
            ("id", pyarrow.int64()),
            ("Title", pyarrow.string()),
            ("price", pyarrow.decimal128(12, 2)),
            ("is_new", pyarrow.bool_()),
            ("sold_on", pyarrow.date32()),
            ("changed_at", pyarrow.timestamp("us", tz="UTC")),
            ("tags", pyarrow.list_(pyarrow.string())),
            ("size", pyarrow.struct([("width", pyarrow.int32()), ("unit", pyarrow.string())])),
            ("colour", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
        ]
    )
    table = pyarrow.Table.from_pylist(rows(), schema=schema)
    pyarrow.parquet.write_table(table, path, row_group_size=700, compression="snappy")


def write_avro(path: Path) -> None:
    def optional(kind: Any) -> list[Any]:
        return ["null", kind]

    size = {
        "type": "record",
        "name": "size",
        "fields": [{"name": "width", "type": "int"}, {"name": "unit", "type": "string"}],
    }
    kinds = {
        "id": "long",
        "Title": "string",
        "price": optional({"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}),
        "is_new": "boolean",
        "sold_on": {"type": "int", "logicalType": "date"},
        "changed_at": optional({"type": "long", "logicalType": "timestamp-micros"}),
        "tags": {"type": "array", "items": "string"},
        "size": size,
        "colour": optional("string"),
    }
    schema = {
        "type": "record",
        "name": "thing",
        "fields": [{"name": name, "type": kind} for name, kind in kinds.items()],
    }
    with path.open("wb") as out:
        fastavro.writer(out, fastavro.parse_schema(schema), rows(), codec="deflate")


@pytest.mark.parametrize(("form", "write"), [("parquet", write_parquet), ("avro", write_avro)])
def test_a_typed_file_is_loaded_with_the_same_values(stack: Stack, tmp_path: Path, form: str, write: Any) -> None:
    source = f"typed_{form}"
    contract = tmp_path / f"{source}.yaml"
    contract.write_text(CONTRACT.format(source=source, format=form))
    stack.publish(contract)
    file = tmp_path / f"rows.{form}"
    write(file)
    receipt = stack.drop(file, source)
    assert receipt["dialect"]["format"] == form
    counts = receipt["rows"]
    assert (counts["read"], counts["loaded"], counts["rejected"], counts["deduplicated"]) == (COUNT + 3, COUNT, 2, 1)
    rejects = stack.rejects(receipt)
    reasons = [sorted(f"{reason['column']}: {reason['code']}" for reason in reject["reasons"]) for reject in rejects]
    assert reasons == [["price: below_minimum"], ["changed_at: missing_required", "title: too_long"]]
    assert json.loads(rejects[0]["raw"])["id"] == COUNT + 1

    columns = "id, title, price, is_new, sold_on, changed_at, tags, size, _rescued"
    found = stack.query(f"SELECT {columns} FROM public.{source} ORDER BY id")
    expected = []
    for number in range(1, COUNT + 1):
        one = row(number)
        one.update(Title="newer", changed_at=datetime.datetime(2026, 2, 1, tzinfo=UTC)) if number == 1 else None
        colour = one.pop("colour")
        expected.append((*one.values(), {"colour": colour} if colour else None))
    assert found == expected


def test_a_damaged_parquet_file_is_refused_with_a_reason(stack: Stack, tmp_path: Path) -> None:
    contract = tmp_path / "damaged.yaml"
    contract.write_text(CONTRACT.format(source="damaged", format="parquet"))
    stack.publish(contract)
    whole = tmp_path / "whole.parquet"
    write_parquet(whole)
    half = tmp_path / "half.parquet"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    receipt = stack.drop(half, "damaged")
    assert receipt["state"] == "refused"
    assert (receipt["refusal"]["code"], receipt["refusal"]["reason"]) == ("unreadable", "truncated_file")
    assert receipt["rows"]["loaded"] == 0
