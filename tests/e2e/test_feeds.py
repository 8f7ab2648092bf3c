"""The feeds, compared row by row with the results of independent readers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest

from support import reading
from support.reading import COLUMNS, Reading
from support.stack import Receipt, Stack

READINGS: dict[str, Callable[[Path], Reading]] = {
    "nordwind": reading.nordwind,
    "lakeside": reading.lakeside,
    "orient": reading.orient,
}
EXAMPLES = {"nordwind": "nordwind.csv", "lakeside": "lakeside.ndjson.gz", "orient": "orient.tsv"}
REAL_SHOPS = ("abt", "amazon", "buy", "google")


@pytest.mark.parametrize("source", EXAMPLES)
def test_an_example_feed_is_loaded_as_an_independent_reader_expects(stack: Stack, feeds: Path, source: str) -> None:
    path = feeds / EXAMPLES[source]
    receipt = stack.drop(path, source)
    expected = READINGS[source](path)
    compare_rows(stack, receipt, expected)
    compare_rejects(stack, receipt, expected)
    # The generator counted the faults that it added.
    sidecar = json.loads((feeds / f"{source}.expected.json").read_text(encoding="utf-8"))
    assert receipt["rows"] == sidecar["rows"]
    assert by_reason(receipt["rejects_by_reason"]) == by_reason(sidecar["rejects_by_reason"])


@pytest.mark.parametrize("source", REAL_SHOPS)
def test_a_real_catalogue_is_loaded_as_an_independent_reader_expects(stack: Stack, products: Path, source: str) -> None:
    path = products / f"{source}.csv"
    receipt = stack.drop(path, source)
    expected = reading.real_shop(path)
    compare_rows(stack, receipt, expected)
    compare_rejects(stack, receipt, expected)


def compare_rows(stack: Stack, receipt: Receipt, expected: Reading) -> None:
    assert receipt["state"] == "loaded", receipt
    assert receipt["rows"] == {
        "read": expected.read,
        "accepted": expected.accepted,
        "rejected": len(expected.rejects),
        "loaded": len(expected.rows),
        "deduplicated": expected.deduplicated,
        "superseded": 0,
        "blank": 0,
        "repeated_headers": 0,
    }
    stored = stack.query(
        f"SELECT {', '.join(COLUMNS)}, _row, _batch_id::text, _source FROM public.products WHERE source = %s",
        receipt["source"],
    )
    found = {values[0]: values for values in stored}
    assert len(found) == len(stored)
    assert found.keys() == expected.rows.keys()
    for key, (number, row) in expected.rows.items():
        values = tuple(row[column] for column in COLUMNS)
        assert found[key] == (*values, number, receipt["batch_id"], receipt["source"])


def compare_rejects(stack: Stack, receipt: Receipt, expected: Reading) -> None:
    rejects = stack.rejects(receipt)
    found = {
        reject["row"]: tuple((reason["code"], reason.get("column")) for reason in reject["reasons"])
        for reject in rejects
    }
    assert len(found) == len(rejects)
    assert found == expected.rejects


def by_reason(counts: list[dict[str, object]]) -> dict[tuple[object, object], object]:
    return {(count["code"], count["column"]): count["rows"] for count in counts}
