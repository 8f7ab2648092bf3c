"""Small files and contracts for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: test-{source}
name: {source}
version: {version}
status: active
servers:
  - server: raw
    type: s3
    location: s3://raw/{source}/
    format: csv
customProperties:
  - property: penstock.eventTime
    value: updated_at
  - property: penstock.maxRejectsPercent
    value: 20
{custom}
schema:
  - name: {table}
    physicalName: public.{table}
    properties:
      - name: id
        logicalType: integer
        primaryKey: true
        primaryKeyPosition: 1
      - name: name
        logicalType: string
        required: true
      - name: updated_at
        logicalType: timestamp
        required: true
"""
Row = tuple[object, object, object]


def contract(folder: Path, source: str, *, table: str | None = None, version: str = "1.0.0", **custom: str) -> Path:
    """Writes a contract for `id,name,updated_at`. The table has the name of the source by default. `custom` are custom
    properties without the prefix `penstock.`."""
    properties = "".join(f"  - property: penstock.{name}\n    value: {value}\n" for name, value in custom.items())
    text = CONTRACT.format(source=source, table=table or source, version=version, custom=properties)
    path = folder / f"{source}.yaml"
    path.write_text(text)
    return path


def write(folder: Path, name: str, rows: Iterable[Row]) -> Path:
    """Writes a CSV file for such a contract."""
    path = folder / name
    lines = [",".join(map(str, row)) + "\n" for row in [("id", "name", "updated_at"), *rows]]
    path.write_text("".join(lines))
    return path


def numbered(count: int, day: int = 1, first: int = 1) -> list[Row]:
    """Returns rows with consecutive ids from `first`, all changed on the given day of January 2026."""
    return [(number, f"name {number}", f"2026-01-{day:02d}T00:00:00Z") for number in range(first, first + count)]


def pseudonymise(contract: Path, column: str) -> Path:
    """Adds `penstock.pseudonymise` to a column of the contract, and returns its path."""
    custom = "        customProperties:\n          - property: penstock.pseudonymise\n            value: true\n"
    before, name, after = contract.read_text().partition(f"      - name: {column}\n")
    contract.write_text(before + name + custom + after)
    return contract
