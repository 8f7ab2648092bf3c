"""The metrics in a function's log: the lines in the embedded metric format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.registries import dump, metric_schemas


def metrics_in(log: Path) -> list[dict[str, Any]]:
    """Returns the lines with metrics, after comparing names and dimensions with the registry."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"_aws"' in line]
    for line in lines:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == dump("metrics")["namespace"]
            (dimensions,) = directive["Dimensions"]
            assert set(dimensions) <= line.keys()
            schemas = {(metric["Name"], frozenset(dimensions)) for metric in directive["Metrics"]}
            assert schemas <= metric_schemas(), schemas - metric_schemas()
    return lines
