"""A few seeds of the harness. `make faults` runs as many as you want."""

from __future__ import annotations

import pytest

from faults.run import Settings, run_all
from support.stack import BINARIES

# Chosen so that together they have most faults, deployments and changes.
SEEDS = [1003, 1006, 1016, 1027]


@pytest.mark.timeout(400)
def test_the_end_state_of_each_seed_equals_the_oracles() -> None:
    assert (BINARIES / "penstock").is_file(), f"no binaries at {BINARIES}: run `make pytest`"
    assert run_all(SEEDS, Settings(), jobs=2) == []
