"""`make sam-local`, which needs a Docker engine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from support.resolved import functions
from support.sam_local import address_of
from support.stack import BINARIES, ROOT

SKIPPED = 77


def sam_local(**variables: str) -> subprocess.CompletedProcess[str]:
    given = {"PENSTOCK_BINARIES": str(BINARIES.absolute()), "SAM_LOCAL_SKIP_STATUS": str(SKIPPED), **variables}
    command = [str(ROOT / "infra/local/sam-local.sh")]
    environment = {**os.environ, **given}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def test_the_address_of_an_interface_is_read_from_the_kernel() -> None:
    assert address_of("lo") == "127.0.0.1"


@pytest.mark.timeout(600)
def test_sam_local_invoke_runs_every_function() -> None:
    done = sam_local()
    if done.returncode == SKIPPED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    assert f"sam local invoke: {', '.join(sorted(functions()))} answered as expected" in done.stdout


def test_without_an_engine_it_is_skipped_with_instructions(tmp_path: Path) -> None:
    done = sam_local(DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == SKIPPED, done.stderr
    assert "sam-local: skipped: " in done.stderr
    assert any(remedy in done.stderr for remedy in ("apt-get install", "start one", "no Linux programs"))
