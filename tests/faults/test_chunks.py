"""Batches of many chunks, which several writers load in any order."""

from __future__ import annotations

from pathlib import Path

from support import ledger
from support.files import contract, numbered, write
from support.stack import Stack


def test_many_chunks_make_one_batch(faulty: Stack, tmp_path: Path) -> None:
    faulty.publish(contract(tmp_path, "many"))
    rows = numbered(2600)
    # Six chunks of 500 rows, too many to be sent in their messages.
    receipt = faulty.drop(write(tmp_path, "rows.csv", rows), "many")
    ledger.check(faulty, receipt, rows)
    assert faulty.query("SELECT count(*) FROM penstock.chunk WHERE source = 'many'") == [(6,)]


def test_the_newest_row_of_a_key_in_many_chunks_is_stored(faulty: Stack, tmp_path: Path) -> None:
    faulty.publish(contract(tmp_path, "mixed"))
    days = [3, 9, 1, 7, 5]
    rows = [row for day in days for row in numbered(500, day=day)]
    receipt = faulty.drop(write(tmp_path, "rows.csv", rows), "mixed")
    stored = faulty.query("SELECT id, extract(day FROM updated_at)::int, _row FROM public.mixed ORDER BY 1")
    assert stored == [(number, 9, 500 + number) for number in range(1, 501)]
    # The number of loaded rows depends on the order in which the chunks are applied.
    counts = receipt["rows"]
    assert (counts["read"], counts["rejected"], counts["superseded"]) == (2500, 0, 0)
    assert counts["loaded"] >= 500
    assert counts["loaded"] + counts["deduplicated"] == 2500
    assert faulty.query("SELECT balanced FROM penstock.batch WHERE source = 'mixed'") == [(True,)]
