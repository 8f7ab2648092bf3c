"""What a function's log holds for CloudWatch: the lines of the embedded metric format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def metrics_in(log: Path) -> list[dict[str, Any]]:
    """The lines with metrics, each of which must name its environment."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if '"_aws"' in line]
    for line in lines:
        for one in line["_aws"]["CloudWatchMetrics"]:
            assert one["Namespace"] == "Penstock"
            assert all("Environment" in names and names <= line.keys() for names in map(set, one["Dimensions"]))
    return lines
