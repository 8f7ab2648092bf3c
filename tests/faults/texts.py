"""The texts of files and contracts."""

from __future__ import annotations

from faults.model import HEADER, ContractVersion, File, Row, Shape, Source, Write

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: faults-{name}
name: {name}
version: {version}
status: active
servers:
  - server: raw
    type: s3
    location: s3://raw/{name}/
    format: csv
    customProperties:
      - property: penstock.delimiter
        value: ","
      - property: penstock.header
        value: true
customProperties:
  - {{property: penstock.write, value: {write}}}
  - {{property: penstock.overwrite, value: {overwrite}}}
  - {{property: penstock.priority, value: {priority}}}
  - {{property: penstock.maxRejectsPercent, value: {max_rejects_percent}}}
{event_time}schema:
  - name: {table}
    physicalName: public.{table}
    properties:
      - name: id
        logicalType: integer
{key}      - name: name
        logicalType: string
        required: true
      - name: amount
        logicalType: integer
        logicalTypeOptions:
          minimum: 0
          maximum: {max_amount}
      - name: changed_at
        logicalType: timestamp
        required: true
{grade}"""
EVENT_TIME = "  - {property: penstock.eventTime, value: changed_at}\n"
KEY = "        primaryKey: true\n        primaryKeyPosition: 1\n"
GRADE = """\
      - name: grade
        logicalType: string
        customProperties:
          - property: penstock.constant
            value: {grade}
"""


def contract_text(source: Source, contract: ContractVersion) -> str:
    """Returns the contract that `judge` implements."""
    return CONTRACT.format(
        name=source.name,
        version=contract.version,
        write=source.write.value,
        overwrite=source.overwrite.value,
        priority=source.priority,
        max_rejects_percent=source.max_rejects_percent,
        event_time=EVENT_TIME if source.has_event_time else "",
        table=source.table,
        key=KEY if source.write is Write.UPSERT else "",
        max_amount=contract.max_amount,
        grade=GRADE.format(grade=contract.grade) if contract.grade is not None else "",
    )


def file_bytes(file: File) -> bytes:
    if file.shape is Shape.EMPTY:
        return b""
    columns = HEADER if file.shape is Shape.TABLE else tuple(name for name in HEADER if name != "amount")
    lines = [",".join(columns), *(line(row) for row in file.rows)]
    return ("\n".join(lines) + "\n").encode()


def line(row: Row) -> str:
    return ",".join((row.id, row.name, row.amount, row.changed_at))


def changed_at(second: int) -> str:
    return f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}Z"
