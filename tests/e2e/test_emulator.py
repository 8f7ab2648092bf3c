"""The functions under AWS's runtime interface emulator, independent of the local runner."""

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

from support.metrics import metrics_in
from support.resolved import functions, variables
from support.scenarios import SCENARIOS
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
    assert program.is_file(), f"aws-sam-cli has no {program}: run infra/local/setup.sh --dev"
    return program


class Emulator:
    """Invokes a function's binary under the emulator, one at a time, since two concurrent invocations crash it."""

    def __init__(self, program: Path, stack: Stack, folder: Path) -> None:
        self.invoked: set[str] = set()
        self._program, self._stack, self._folder = program, stack, folder

    def __call__(self, binary: str, event: Any) -> Any:
        self.invoked.add(binary)
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
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
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


def test_the_scenarios_invoke_every_function_under_the_emulator(
    stack: Stack, emulator: Emulator, tmp_path: Path
) -> None:
    for scenario in SCENARIOS:
        scenario(stack, emulator, tmp_path, f"emulated_{scenario.__name__}")
    assert emulator.invoked == functions().keys()
    emitted = [line for log in tmp_path.glob("*/log") for line in metrics_in(log)]
    assert {line["environment"] for line in emitted} == {"local"}
    assert {"emulated_load_a_drop", "emulated_run_the_sentinel"} <= {line.get("source") for line in emitted}


@pytest.mark.parametrize("binary", sorted(functions()))
def test_an_invalid_event_is_an_error_in_the_body(emulator: Emulator, binary: str) -> None:
    assert "errorMessage" in emulator(binary, {"Records": "none"})
