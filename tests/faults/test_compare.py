"""Each kind of difference between the observed and the expected state is found."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Callable

import pytest

from faults.compare import choices, differences
from faults.model import Drop, Dropped, Facts, File, Overwrite, Phase, Plan, Row, Shape, Source, Write
from faults.observe import LedgerBatch, LedgerChunk, Observed
from faults.oracle import Expected, expect

SOURCE = Source("s", "s", Write.UPSERT, Overwrite.ADD, 0, True)
TIME = "2026-01-01T00:00:01Z"
GOOD = File(Shape.TABLE, (Row("1", "x", "1", TIME), *(Row(str(key), "x", "1", TIME) for key in range(1, 10))))
MIXED = File(Shape.TABLE, (*GOOD.rows, Row("99", "", "1", TIME), Row("", "", "", "")))
BAD = File(Shape.TABLE, (Row("1", "", "1", TIME),))
DROPS = tuple(Drop("s", name, file) for name, file in (("a", MIXED), ("b", BAD)))
PLAN = Plan(0, (SOURCE,), (Phase((), DROPS, ()),))
FACTS = Facts(
    "raw",
    [Dropped(0, number, drop, f"v{number}", "", TIME, f"{number:04X}") for number, drop in enumerate(DROPS)],
)
POISON = [("load", "invalid_message")]


def right() -> tuple[Expected, Observed]:
    """Returns the expected state, and a state that equals it."""
    expected = expect(PLAN, FACTS, {}, [])
    loaded, refused = (expected.batches[version].batch_id for version in ("v0", "v1"))
    counts = {"read": 12, "rejected": 1, "loaded": 9, "deduplicated": 1, "superseded": 0, "blank": 1}
    none = dict.fromkeys(counts, 0) | {"read": 1, "rejected": 1}

    def receipt(batch: str, version: str, state: str, rows: dict[str, int], refusal: object) -> dict[str, object]:
        return {
            "batch_id": batch,
            "drop": {"version_id": version},
            "contract_version": "1.0.0",
            "state": state,
            "rows": rows,
            "refusal": refusal,
        }

    def manifest(batch: str, parquet: list[str], chunks: list[object]) -> dict[str, object]:
        return {"parquet": parquet, "chunks": chunks, "rejects": [f"s3://quarantine/s/{batch}/rejects"]}

    chunk = {"body": {"object": {"key": f"batches/{loaded}/chunks/0"}}}
    observed = Observed(
        receipts={
            "v0": [receipt(loaded, "v0", "loaded", counts, None)],
            "v1": [receipt(refused, "v1", "refused", none, {"code": "too_many_rejects"})],
        },
        tables={"s": list(expected.tables["s"])},
        ledger={loaded: LedgerBatch(12, 1, 9, 1, 0, 1, True, "loaded")},
        chunks={loaded: [LedgerChunk(0, 10, 9, 1, 0)]},
        rejects={
            loaded: {11: frozenset({("missing_required", "name")})},
            refused: {1: frozenset({("missing_required", "name")})},
        },
        manifests={loaded: manifest(loaded, ["data/0"], [chunk]), refused: manifest(refused, [], [])},
        lake={loaded: {"data/0": 10}},
        quarantine={batch: [f"s/{batch}/rejects"] for batch in (loaded, refused)},
        objects={loaded: [f"batches/{loaded}/manifest.json", f"batches/{loaded}/chunks/0"]},
        depths={"drops": 0, "load": 0, "load-dead-letter": 1},
        dead_letters=[("load", "invalid_message", "not even JSON")],
    )
    return expected, observed


def found(observed: Observed) -> list[str]:
    return differences(PLAN, expect(PLAN, FACTS, choices(observed), []), observed, POISON)


def test_a_state_that_equals_the_expected_one_has_no_differences() -> None:
    assert found(right()[1]) == []


LOADED = expect(PLAN, FACTS, {}, []).batches["v0"].batch_id
REFUSED = expect(PLAN, FACTS, {}, []).batches["v1"].batch_id
CHANGES: dict[str, Callable[[Observed], object]] = {
    "a row is missing": lambda state: state.tables["s"].pop(),
    "a row is stored twice": lambda state: state.tables["s"].append(state.tables["s"][0]),
    "a row has another value": lambda state: state.tables["s"].append(replace(state.tables["s"].pop(), amount=2)),
    "a row is of another batch": lambda state: state.tables["s"].append(
        replace(state.tables["s"].pop(), batch_id=REFUSED)
    ),
    "there is no receipt": lambda state: state.receipts.pop("v0"),
    "there are two receipts": lambda state: state.receipts["v0"].append(state.receipts["v0"][0]),
    "there is a receipt of another drop": lambda state: state.receipts.update(v9=state.receipts["v0"]),
    "the receipt has another state": lambda state: state.receipts["v0"][0].update(state="loading"),
    "the receipt has another batch": lambda state: state.receipts["v0"][0].update(batch_id=REFUSED),
    "a refused batch is loaded": lambda state: state.receipts["v1"][0].update(state="loaded", refusal=None),
    "a batch is refused for another reason": lambda state: state.receipts["v1"][0]["refusal"].update(code="empty"),
    "the receipt counts another number": lambda state: state.receipts["v0"][0]["rows"].update(loaded=8),
    "the counts do not add up": lambda state: state.receipts["v0"][0]["rows"].update(superseded=1),
    "a reject is missing": lambda state: state.rejects[LOADED].clear(),
    "a reject has another reason": lambda state: state.rejects[LOADED].update({11: frozenset({("too_long", "")})}),
    "a row is rejected that is right": lambda state: state.rejects[LOADED].update({1: frozenset({("too_long", "")})}),
    "the ledger lacks the batch": lambda state: state.ledger.clear(),
    "the ledger is not balanced": lambda state: state.ledger.update(
        {LOADED: replace(state.ledger[LOADED], balanced=False)}
    ),
    "the ledger has another state": lambda state: state.ledger.update(
        {LOADED: replace(state.ledger[LOADED], state="loading")}
    ),
    "the batch is not closed": lambda state: state.ledger.update(
        {LOADED: replace(state.ledger[LOADED], loaded=None, balanced=None)}
    ),
    "the receipt has fewer chunks": lambda state: state.receipts["v0"][0].update(chunks={"applied": 0, "total": 1}),
    "the receipt has missing chunks": lambda state: state.receipts["v0"][0].update(missing=[{"chunk": 1}]),
    "the receipt waits": lambda state: state.receipts["v0"][0].update(waits_for={"batch_id": REFUSED}),
    "the receipt names an unknown batch": lambda state: state.receipts["v0"][0].update(
        superseded_by=[{"batch_id": "other", "rows": 0}]
    ),
    "the receipt names too many superseded rows": lambda state: state.receipts["v0"][0].update(
        superseded_by=[{"batch_id": LOADED, "rows": 1}]
    ),
    "a chunk is recorded as failed": lambda state: state.chunk_failures.append("chunk 0"),
    "the ledger has another count": lambda state: state.ledger.update(
        {LOADED: replace(state.ledger[LOADED], loaded=8)}
    ),
    "a chunk is missing in the ledger": lambda state: state.chunks.clear(),
    "a chunk has another count": lambda state: state.chunks.update({LOADED: [LedgerChunk(0, 10, 8, 2, 0)]}),
    "a refused batch is in the ledger": lambda state: state.ledger.update({REFUSED: state.ledger[LOADED]}),
    "an unknown batch is in the ledger": lambda state: state.ledger.update(other=state.ledger[LOADED]),
    "an unknown batch has chunks": lambda state: state.chunks.update(other=state.chunks[LOADED]),
    "there is no manifest": lambda state: state.manifests.pop(LOADED),
    "a Parquet file is missing": lambda state: state.lake.clear(),
    "a Parquet file lacks rows": lambda state: state.lake[LOADED].update({"data/0": 9}),
    "a Parquet file is an orphan": lambda state: state.lake[LOADED].update({"data/1": 1}),
    "a refused batch is in the lake": lambda state: state.lake.update({REFUSED: {"data/1": 1}}),
    "an unknown batch is in the lake": lambda state: state.lake.update(other={"data/1": 1}),
    "a chunk is missing": lambda state: state.objects[LOADED].pop(),
    "a chunk is an orphan": lambda state: state.objects[LOADED].append(f"batches/{LOADED}/chunks/1"),
    "a reject file is an orphan": lambda state: state.quarantine[LOADED].append(f"s/{LOADED}/more"),
    "an unknown batch is in quarantine": lambda state: state.quarantine.update(other=["s/other/rejects"]),
    "a message remains": lambda state: state.depths.update(load=1),
    "a dead letter is not explained": lambda state: state.dead_letters.append(("load", "invalid_message", "")),
    "a dead letter is missing": lambda state: state.dead_letters.clear(),
    "a session remains": lambda state: state.sessions.append("idle in transaction"),
    "a temporary file remains": lambda state: state.temporary_files.append("/tmp/x"),
    "an upload remains": lambda state: state.uploads.append("batches/x"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_is_found(name: str) -> None:
    observed = copy.deepcopy(right()[1])
    CHANGES[name](observed)
    assert found(observed), name
