"""CPU time and memory, from Linux's /proc and from the local runner."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """The usage of all execution environments of a function."""

    cpu_s: float
    peak_mib: float


def cluster_cpu_seconds(postmaster_pid: int) -> float:
    """Returns the user and system seconds of a PostgreSQL cluster, including processes that have ended."""
    total = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:
            continue
        # The command's name is in parentheses and may contain spaces.
        pid = int(text.split(" ", 1)[0])
        fields = text.rsplit(")", 1)[1].split()
        parent, user, system, ended_user, ended_system = (int(fields[i]) for i in (1, 11, 12, 13, 14))
        if pid == postmaster_pid:
            total += user + system + ended_user + ended_system
        elif parent == postmaster_pid:
            total += user + system
    return total / TICKS_PER_S


def run_timed(command: list[str], stdin: str) -> tuple[float, float]:
    """Runs a command and returns its wall seconds and CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    subprocess.run(command, input=stdin, text=True, check=True)
    wall_s = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def functions_usage(status: dict[str, Any]) -> dict[str, Usage]:
    """Returns the usage of each function in the runner's status."""
    return {
        name: Usage(function["cpu_seconds"], function["peak_memory_bytes"] / 2**20)
        for name, function in status["functions"].items()
    }
