"""The registries of the Rust code, read from the dumps in tests/golden that Rust tests keep current."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from support.stack import ROOT


@cache
def dump(name: str) -> Any:
    """Returns the content of a dump."""
    return json.loads((ROOT / "tests/golden" / f"{name}.json").read_text())


def metric_schemas() -> set[tuple[str, frozenset[str]]]:
    """Returns the name and the dimensions of each metric."""
    return {(metric["name"], frozenset(metric["dimensions"])) for metric in dump("metrics")["metrics"]}


def metrics_of(function: str) -> list[dict[str, Any]]:
    """Returns the definitions of the metrics that a function emits."""
    return [metric for metric in dump("metrics")["metrics"] if function in metric["functions"]]


def batch_states() -> set[str]:
    """Returns the values of the dimension `state`."""
    return set(dump("metrics")["states"])


def log_messages() -> set[str]:
    """Returns the messages of the log events that the runbook refers to."""
    return {event["message"] for event in dump("log-events")}
