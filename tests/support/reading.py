"""Independent readers of the feeds. They use Python's csv and json, not the engine and not the contracts.

Each returns the expected rows of the table and the expected rejects.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable
from zoneinfo import ZoneInfo

COLUMNS = (
    "id",
    "title",
    "description",
    "manufacturer",
    "price",
    "currency",
    "gtin",
    "category",
    "in_stock",
    "updated_at",
)
Row = dict[str, Any]
Reasons = tuple[tuple[str, "str | None"], ...]


@dataclass
class Reading:
    """The expected result of a file."""

    read: int = 0
    # By id: the number of the row in the file, and its columns.
    rows: dict[str, tuple[int, Row]] = field(default_factory=dict)
    rejects: dict[int, Reasons] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        return self.read - len(self.rejects)

    @property
    def deduplicated(self) -> int:
        return self.accepted - len(self.rows)


def nordwind(path: Path) -> Reading:
    text = path.read_bytes().decode("cp1252").replace("\0", "")
    zone = ZoneInfo("Europe/Berlin")

    def harmonise(raw: dict[str, str | None]) -> Row:
        price = raw["Preis"]
        changed = dt.datetime.strptime(raw["Geändert"] or "", "%d.%m.%Y %H:%M:%S").replace(tzinfo=zone)
        return {
            "id": raw["Artikelnummer"],
            "title": raw["Bezeichnung"],
            "description": raw["Beschreibung"],
            "manufacturer": raw["Hersteller"],
            "price": None if price is None else Decimal(price.replace(".", "").replace(",", ".")),
            "currency": raw["Währung"],
            "gtin": raw["EAN"],
            "category": (raw["Kategorie"] or "").lower(),
            "in_stock": {"ja": True, "nein": False, None: None}[raw["Verfügbar"]],
            "updated_at": changed,
        }

    lines = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    header = next(lines)
    return read_example(path, (dict(zip(header, nulls(line, "k. A."))) for line in lines), harmonise)


def lakeside(path: Path) -> Reading:
    lines = gzip.decompress(path.read_bytes()).split(b"\n")

    def harmonise(line: bytes) -> Row:
        raw = json.loads(line, parse_float=Decimal)
        price = raw.get("price")
        texts = {"id": "sku", "title": "name", "description": "details", "manufacturer": "brand", "gtin": "gtin"}
        row = {column: clean(raw.get(name)) for column, name in texts.items()}
        return row | {
            "price": None if price is None else Decimal(price),
            "currency": raw["currency"],
            "category": raw["category"].lower(),
            "in_stock": raw.get("in_stock"),
            "updated_at": dt.datetime.fromisoformat(raw["updated_at"].replace("Z", "+00:00")),
        }

    return read_example(path, lines[:-1], harmonise)


def orient(path: Path) -> Reading:
    lines = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    header = lines[0].split("\t")

    def harmonise(raw: dict[str, str | None]) -> Row:
        texts = {"id": "item_id", "title": "item_name", "description": "long_text", "manufacturer": "maker"}
        return {column: raw[name] for column, name in texts.items()} | {
            "price": None if raw["unit_price"] is None else Decimal(raw["unit_price"]),
            "currency": (raw["curr"] or "").upper(),
            "gtin": raw["barcode"],
            "category": raw["group"],
            "in_stock": {"Y": True, "N": False, None: None}[raw["stock"]],
            "updated_at": dt.datetime.fromisoformat(raw["changed"] or ""),
        }

    return read_example(path, (dict(zip(header, nulls(line.split("\t"), "-"))) for line in lines[1:-1]), harmonise)


def read_example(path: Path, records: Iterator[Any] | list[Any], harmonise: Callable[[Any], Row]) -> Reading:
    """Takes the rejects from the generator, and keeps the newest row of each key."""
    source = path.name.split(".")[0]
    expected = json.loads((path.parent / f"{source}.expected.json").read_text(encoding="utf-8"))
    rejects = {
        reject["row"]: tuple((reason["code"], reason["column"]) for reason in reject["reasons"])
        for reject in expected["rejects"]
    }
    reading = Reading(rejects=rejects)
    for number, record in enumerate(records, start=1):
        reading.read += 1
        if number in rejects:
            continue
        row = harmonise(record)
        previous = reading.rows.get(row["id"])
        if previous is None or previous[1]["updated_at"] < row["updated_at"]:
            reading.rows[row["id"]] = (number, row)
    return reading


def real_shop(path: Path) -> Reading:
    """Reads one of the four real catalogues: no quotes, prices as text or missing."""
    text = path.read_bytes().decode("utf-8")
    lines = text.replace("\r\n", "\n").split("\n")
    delimiter = "|" if "|" in lines[0] else "#"
    header = lines[0].split(delimiter)
    reading = Reading()
    for number, line in enumerate((line for line in lines[1:] if line), start=1):
        reading.read += 1
        raw = dict(zip(header, nulls(line.split(delimiter), "")))
        price, currency = money(raw["price"])
        if path.stem == "amazon" and raw["price"] == "0.0":
            price = None
        reasons: list[tuple[str, str | None]] = []
        manufacturer = raw.get("manufacturer")
        if manufacturer is not None and len(manufacturer) > 100:
            reasons.append(("too_long", "manufacturer"))
        if price is not None and price != price.quantize(Decimal("0.01")):
            reasons.append(("out_of_range", "price"))
        if reasons:
            reading.rejects[number] = tuple(reasons)
            continue
        row: Row = dict.fromkeys(COLUMNS)
        row |= {"id": raw["id"], "title": raw.get("title", raw.get("name")), "description": raw["description"]}
        row |= {"manufacturer": manufacturer, "price": price, "currency": currency}
        reading.rows[str(raw["id"])] = (number, row)
    return reading


def money(text: str | None) -> tuple[Decimal | None, str]:
    """Parses `38.99`, `12.99 gbp` or a missing price. The default currency is USD."""
    match = re.fullmatch(r"([0-9.]+)(?: ([a-z]{3}))?", text or "")
    if match is None:
        assert text is None, f"unexpected price: {text}"
        return None, "USD"
    return Decimal(match[1]), (match[2] or "usd").upper()


def nulls(values: list[str], *spellings: str) -> list[str | None]:
    return [None if value in spellings else clean(value) for value in values]


def clean(value: str | None) -> str | None:
    """Removes surrounding white space. A value of only white space is `None`."""
    return (value or "").strip() or None
