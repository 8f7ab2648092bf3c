"""A database instance that RDS reports as not available."""

from __future__ import annotations

from pathlib import Path

from support import ledger
from support.files import contract, numbered, write
from support.stack import Stack

INSTANCE = "penstock-local"


def test_chunks_wait_while_rds_reports_that_the_instance_is_stopped(faulty: Stack, tmp_path: Path) -> None:
    faulty.publish(contract(tmp_path, "stopped"))
    faulty.drop(write(tmp_path, "first.csv", numbered(10)), "stopped")
    rows = numbered(2600, day=2)
    rds, log = faulty.client("rds"), faulty.state_dir / "logs/writer.log"
    offset = len(log.read_text())
    rds.stop_db_instance(DBInstanceIdentifier=INSTANCE)
    faulty.control("postgres/stop")
    try:
        drop = faulty.drop_without_waiting(write(tmp_path, "second.csv", rows), "stopped")

        def postponed() -> bool:
            new = log.read_text()[offset:]
            return "RDS reports its status as stopped" in new and '"chunks_postponed"' in new

        faulty.wait(postponed, "chunks that are postponed")
    finally:
        faulty.control("postgres/restart")
        rds.start_db_instance(DBInstanceIdentifier=INSTANCE)
    ledger.check(faulty, faulty.wait_for_receipt("stopped", drop["batch_id"], "loaded"), rows)
    assert "moved to the dead-letter queue" not in log.read_text()[offset:]
