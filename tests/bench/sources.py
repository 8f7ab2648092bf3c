"""The files that the benchmark drops, and the environment of a cold start."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/local/feeds"))
import bench_rows  # noqa: E402

SEED = 20_261_121


def write_large(path: Path, rows: int) -> None:
    """Writes the seeded product file."""
    bench_rows.write(path, rows, SEED)


def write_small(path: Path, rows: int, seed: int) -> Path:
    """Writes a small file of the same form with unique keys."""
    bench_rows.write(path, rows, seed, first=100_000_000 + seed * rows)
    return path


def last_id(path: Path) -> str:
    """Returns the key of a file's last row."""
    return path.read_text(encoding="utf-8").rstrip().rsplit("\n", 1)[1].split(",", 1)[0]


def placeholder_environment(function: str) -> dict[str, str]:
    """Returns template.yaml's variables of a function with placeholder values: a cold start calls no service."""
    template = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=_Template)
    names = list(template["Globals"]["Function"]["Environment"]["Variables"])
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        metadata = resource.get("Metadata", {}).get("BuildProperties", {})
        if resource["Type"] == "AWS::Serverless::Function" and function in str(metadata):
            names += properties.get("Environment", {}).get("Variables", {})
    words = {"PENSTOCK_DATABASE_TLS": "disable", "PENSTOCK_DATABASE_AUTH": "secret", "PENSTOCK_THROTTLE": "fixed"}
    placeholders = {name: words.get(name, "1") for name in names}
    aws = {"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    return {**placeholders, **aws, "RUST_LOG": "info"}


class _Template(yaml.SafeLoader):
    """A YAML loader that reads the short forms of CloudFormation as text."""


_Template.add_multi_constructor("!", lambda loader, suffix, node: f"!{suffix}")
