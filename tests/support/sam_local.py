"""Invokes every function with the real `sam local invoke`, on its own stack. infra/local/sam-local.sh runs this."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from support.forward import forwarded, moved, ports_of
from support.resolved import functions, variables
from support.scenarios import SCENARIOS
from support.stack import BINARIES, ROOT, Stack

BUILT = ROOT / ".aws-sam/build"
SIOCGIFADDR = 0x8915
ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def main() -> None:
    with tempfile.TemporaryDirectory() as name, Stack.up(Path(name) / "stack") as stack:
        folder, address = Path(name), gateway()
        values = {binary: variables(stack, binary) for binary in functions()}
        ports = {port for given in values.values() for port in ports_of(given)}
        sam = Sam({binary: moved(given, address) for binary, given in values.items()}, folder)
        with forwarded(address, ports):
            for scenario in SCENARIOS:
                scenario(stack, sam, folder, f"sam_{scenario.__name__}")
    unused = set(functions()) - sam.invoked
    assert not unused, f"never invoked: {sorted(unused)}"
    print(f"sam local invoke: {', '.join(sorted(sam.invoked))} answered as expected")


def gateway() -> str:
    """Returns the address of the host in the bridge network, which SAM uses even with `--docker-network host`.

    It is the address of the bridge itself: an engine that was started for the first time does not list a gateway.
    """
    bridge = '{{index .Options "com.docker.network.bridge.name"}}'
    command = ["docker", "network", "inspect", "bridge", "--format", bridge]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return address_of(name or "docker0")


def address_of(interface: str) -> str:
    """Returns the IPv4 address of a network interface (Linux: `man 7 netdevice`, SIOCGIFADDR)."""
    request = struct.pack("256s", interface.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, request)
    return socket.inet_ntoa(answer[20:24])


class Sam:
    """The built functions, invoked with `sam local invoke`."""

    def __init__(self, values: dict[str, dict[str, str]], folder: Path) -> None:
        self.invoked: set[str] = set()
        self._event = folder / "event.json"
        self._variables = folder / "variables.json"
        build(values)
        by_name = {functions()[binary][0]: values[binary] for binary in values}
        self._variables.write_text(json.dumps(by_name))

    def __call__(self, binary: str, event: Any) -> Any:
        self._event.write_text(json.dumps(event))
        command = [str(Path(sys.executable).with_name("sam")), "local", "invoke", functions()[binary][0]]
        command += ["--template", str(BUILT / "template.yaml"), "--event", str(self._event)]
        command += ["--env-vars", str(self._variables), "--skip-pull-image"]
        command += ["--region", "eu-central-1"]
        environment = {**os.environ, "SAM_CLI_TELEMETRY": "0"}
        done = subprocess.run(
            command, env=environment, cwd=BUILT, capture_output=True, text=True, timeout=300, check=False
        )
        lines = done.stdout.strip().splitlines()
        # If the container did not start, the status is 0 but there is no response.
        message = f"{binary}: status {done.returncode}\n{done.stderr[-4000:]}"
        assert done.returncode == 0, message
        assert lines, message
        print(f"{binary}: {lines[-1]}", flush=True)
        self.invoked.add(binary)
        return json.loads(lines[-1])


def build(values: dict[str, dict[str, str]]) -> None:
    """Writes what `sam build` would, from existing binaries: a folder for each function, and a template."""
    resources = {}
    for binary, (name, properties) in functions().items():
        folder = BUILT / name
        folder.mkdir(parents=True, exist_ok=True)
        bootstrap = folder / "bootstrap"
        bootstrap.unlink(missing_ok=True)
        shutil.copy2(BINARIES / binary, bootstrap)
        # `--env-vars` sets only variables that the template has.
        placeholders = {variable: "" for variable in values[binary]}
        limits = {key: properties[key] for key in ("Timeout", "MemorySize")}
        resources[name] = {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                **limits,
                "Runtime": "provided.al2023",
                "Handler": "bootstrap",
                "CodeUri": name,
                "Architectures": [ARCHITECTURE],
                "Environment": {"Variables": placeholders},
            },
        }
    transform = "AWS::Serverless-2016-10-31"
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Transform": transform, "Resources": resources}
    (BUILT / "template.yaml").write_text(json.dumps(template, indent=2))


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"sam local invoke: {error}")
