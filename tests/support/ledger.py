"""Invariants of a loaded batch."""

from __future__ import annotations

from support.files import Row
from support.stack import Receipt, Stack


def check(stack: Stack, receipt: Receipt, rows: list[Row]) -> None:
    """Asserts that the table has exactly these rows, the ledger has each chunk once, and the batch is balanced."""
    source = receipt["source"]
    stored = stack.query(f"SELECT id, name, _row, _batch_id::text FROM public.{source} ORDER BY id")
    expected = [(key, name, number, receipt["batch_id"]) for number, (key, name, _) in enumerate(rows, start=1)]
    assert stored == expected
    chunks = stack.query("SELECT chunk, rows FROM penstock.chunk WHERE batch_id = %s ORDER BY 1", receipt["batch_id"])
    assert [chunk for chunk, _ in chunks] == list(range(len(chunks)))
    assert sum(count for _, count in chunks) == len(rows)
    batch = "SELECT rows_read, loaded, rejected, balanced FROM penstock.batch WHERE batch_id = %s"
    assert stack.query(batch, receipt["batch_id"]) == [(len(rows), len(rows), 0, True)]
    assert receipt["state"] == "loaded"
    assert receipt["rows"]["loaded"] == len(rows)
