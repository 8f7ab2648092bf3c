"""Batches of many chunks, loaded by several writers in whatever order comes."""

from __future__ import annotations

from pathlib import Path

from support import ledger
from support.files import contract, numbered, write
from support.stack import Stack


def test_many_chunks_make_one_batch(shaky: Stack, tmp_path: Path) -> None:
    shaky.publish(contract(tmp_path, "many"))
    rows = numbered(2600)
    # Chunks of 500 rows: too many of them to travel in their messages.
    receipt = shaky.drop(write(tmp_path, "rows.csv", rows), "many")
    ledger.check(shaky, receipt, rows)
    assert shaky.query("SELECT count(*) FROM penstock.chunk WHERE source = 'many'") == [(6,)]


def test_of_one_key_in_many_chunks_the_newest_row_stays(shaky: Stack, tmp_path: Path) -> None:
    shaky.publish(contract(tmp_path, "mixed"))
    days = [3, 9, 1, 7, 5]
    rows = [row for day in days for row in numbered(500, day=day)]
    receipt = shaky.drop(write(tmp_path, "rows.csv", rows), "mixed")
    held = shaky.query("SELECT id, extract(day FROM updated_at)::int, _row FROM public.mixed ORDER BY 1")
    assert held == [(number, 9, 500 + number) for number in range(1, 501)]
    # How many of a key's rows were in the table for a moment depends on the order in which the chunks came.
    counts = receipt["rows"]
    assert (counts["read"], counts["rejected"], counts["superseded"]) == (2500, 0, 0)
    assert counts["loaded"] >= 500
    assert counts["loaded"] + counts["deduplicated"] == 2500
    assert shaky.query("SELECT balanced FROM penstock.batch WHERE source = 'mixed'") == [(True,)]
