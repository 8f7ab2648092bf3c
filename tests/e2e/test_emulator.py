"""The functions under AWS's own runtime interface emulator, which knows nothing of our runner."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import socket
import subprocess
import sysconfig
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import round as one_round
from support.metrics import metrics_in
from support.resolved import functions, variables
from support.stack import BINARIES, Stack

ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}
INVOCATIONS = "2015-03-31/functions/function/invocations"


@pytest.fixture(scope="session")
def program() -> Path:
    architecture = ARCHITECTURES.get(platform.machine())
    if platform.system() != "Linux" or architecture is None:
        pytest.skip(f"aws-sam-cli has no emulator for {platform.system()} on {platform.machine()}")
    folder = Path(sysconfig.get_path("purelib")) / "samcli/local/rapid"
    program = folder / f"aws-lambda-rie-{architecture}"
    assert program.is_file(), f"aws-sam-cli is without {program}: run infra/local/setup.sh --dev"
    return program


class Emulator:
    """A function's binary under the emulator; one invocation at a time, since two at once crash it."""

    def __init__(self, program: Path, stack: Stack, folder: Path) -> None:
        self._program, self._stack, self._folder = program, stack, folder

    def __call__(self, binary: str, event: Any) -> Any:
        with self._running(binary) as url:
            request = urllib.request.Request(url, data=json.dumps(event).encode())
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())

    @contextlib.contextmanager
    def _running(self, binary: str) -> Iterator[str]:
        root = self._folder / binary
        root.mkdir(exist_ok=True)
        bootstrap, (interface, api) = root / "bootstrap", free_ports(2)
        if not bootstrap.exists():
            bootstrap.symlink_to((BINARIES / binary).absolute())
        command = [str(self._program), "--runtime-interface-emulator-address", f"127.0.0.1:{interface}"]
        command += ["--runtime-api-address", f"127.0.0.1:{api}", str(bootstrap)]
        timeout = str(functions()[binary][1]["Timeout"])
        environment = {**variables(self._stack, binary), "AWS_LAMBDA_FUNCTION_TIMEOUT": timeout}
        environment["PATH"] = os.environ["PATH"]
        with (root / "log").open("ab") as log:
            process = subprocess.Popen(command, env=environment, cwd=root, stdout=log, stderr=log)
        try:
            wait_for_port(process, interface, root / "log")
            yield f"http://127.0.0.1:{interface}/{INVOCATIONS}"
        finally:
            process.terminate()
            process.wait(timeout=10)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"the emulator does not listen:\n{log.read_text()}")


@pytest.fixture
def emulator(program: Path, stack: Stack, tmp_path: Path) -> Emulator:
    stack.wait_until_quiet()
    return Emulator(program, stack, tmp_path)


def test_a_drop_is_read_and_loaded_under_the_emulator(stack: Stack, emulator: Emulator, tmp_path: Path) -> None:
    one_round.load_a_drop(stack, emulator, tmp_path, "emulated")
    for binary in ("ingest", "writer"):
        assert {one["environment"] for one in metrics_in(tmp_path / binary / "log")} == {"local"}


def test_a_failed_job_is_told_in_the_receipt_under_the_emulator(
    stack: Stack, emulator: Emulator, tmp_path: Path
) -> None:
    one_round.tell_of_a_failed_job(stack, emulator, tmp_path, "emulated_job")


def test_the_stored_load_message_is_one_that_the_writer_takes(stack: Stack, emulator: Emulator, tmp_path: Path) -> None:
    one_round.load_the_stored_message(stack, emulator, tmp_path)


def test_a_schedule_makes_the_sentinel_look_under_the_emulator(
    stack: Stack, emulator: Emulator, tmp_path: Path
) -> None:
    one_round.look_for_what_did_not_happen(stack, emulator, tmp_path, "emulated_watched")
    told = metrics_in(tmp_path / "sentinel/log")
    assert {"emulated_watched"} <= {one["source"] for one in told}


@pytest.mark.parametrize("binary", sorted(functions()))
def test_what_is_no_event_is_an_error_in_the_body(emulator: Emulator, binary: str) -> None:
    assert "errorMessage" in emulator(binary, {"Records": "none"})
