"""The three feeds: each shop's form of a product, and the errors in its rows."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple

import catalogue
from catalogue import Product

Record = dict[str, Any]
Encode = Callable[[Record], bytes]


class Reason(NamedTuple):
    """A reason as reported by the engine: its code and the harmonised column."""

    code: str
    column: str | None


@dataclass(frozen=True)
class Fault:
    """An error of a row, with the reasons that the engine reports."""

    reasons: tuple[Reason, ...]
    spoil: Callable[[Record, Encode], bytes]


@dataclass(frozen=True)
class Feed:
    """A shop's file."""

    source: str
    file_name: str
    rows: int
    head: bytes
    product: Callable[[random.Random, int], Product]
    record: Callable[[random.Random, Product], Record]
    encode: Encode
    faults: tuple[Fault, ...]


def values(*changes: tuple[str, Any, str, str]) -> Fault:
    """Returns a fault of field values: (the shop's column, the value, the code, the harmonised column)."""

    def spoil(record: Record, encode: Encode) -> bytes:
        return encode({**record, **{name: value for name, value, _, _ in changes}})

    return Fault(tuple(Reason(code, column) for _, _, code, column in changes), spoil)


def line(code: str, change: Callable[[bytes], bytes], column: str | None = None) -> Fault:
    """Returns a fault of the encoded record. `change` receives the record with its line end."""
    return Fault((Reason(code, column),), lambda record, encode: change(encode(record)))


# ── nordwind: `;`, Windows-1252, quotes, decimal comma ───────────────────────────────────────────────────────────────

NORDWIND_HEADER = (
    "Artikelnummer;Bezeichnung;Beschreibung;Hersteller;Preis;Währung;EAN;Kategorie;Verfügbar;Geändert".split(";")
)


def nordwind() -> Feed:
    """An ERP export from Germany."""

    def record(rng: random.Random, product: Product) -> Record:
        price = None if product.price is None else _german(f"{product.price:,.2f}")
        missing = rng.choice(("", "k. A."))
        stock = None if product.in_stock is None else ("ja" if product.in_stock else "nein")
        return {
            "Artikelnummer": f"NW-{product.number:06d}",
            "Bezeichnung": product.title,
            "Beschreibung": _or(product.description, missing),
            "Hersteller": _or(product.maker, missing),
            "Preis": _or(price, missing),
            "Währung": product.currency,
            "EAN": _or(product.gtin, missing),
            "Kategorie": rng.choice((product.category, product.category.upper())),
            "Verfügbar": _or(stock, missing),
            "Geändert": product.changed.strftime("%d.%m.%Y %H:%M:%S"),
        }

    def encode(record: Record) -> bytes:
        return (";".join(_quoted(record[name]) for name in NORDWIND_HEADER) + "\r\n").encode("cp1252")

    faults = (
        values(("Artikelnummer", "", "missing_required", "id")),
        values(("Artikelnummer", "4711", "pattern_mismatch", "id")),
        values(("Bezeichnung", "", "missing_required", "title")),
        values(("Bezeichnung", "Ü" * 301, "too_long", "title")),
        values(("Preis", "auf Anfrage", "not_a_number", "price")),
        values(("Preis", "-5,00", "below_minimum", "price")),
        values(("Preis", "1.000.000,01", "above_maximum", "price")),
        values(("Preis", "12,345", "out_of_range", "price")),
        values(("Währung", "DEM", "not_allowed", "currency")),
        values(("EAN", "401-23", "pattern_mismatch", "gtin")),
        values(("Kategorie", "Zubehör", "not_allowed", "category")),
        values(("Verfügbar", "vielleicht", "not_a_boolean", "in_stock")),
        values(("Geändert", "31.02.2026 10:00:00", "not_a_timestamp", "updated_at")),
        values(("Beschreibung", "vor\0nach", "nul_character", "description")),
        values(
            ("Artikelnummer", "k. A.", "missing_required", "id"),
            ("Preis", "gratis", "not_a_number", "price"),
            ("Geändert", "heute", "not_a_timestamp", "updated_at"),
        ),
        line("too_many_fields", lambda text: text[:-2] + b";mehr\r\n"),
        line("too_few_fields", lambda text: text[: text.rindex(b";")] + b"\r\n"),
    )
    product = _products(catalogue.NORDWIND)
    head = (";".join(NORDWIND_HEADER) + "\r\n").encode("cp1252")
    return Feed("nordwind", "nordwind.csv", 2000, head, product, record, encode, faults)


def _german(text: str) -> str:
    return text.translate(str.maketrans(",.", ".,"))


def _quoted(text: str) -> str:
    if any(character in text for character in ';"\r\n') or text != text.strip():
        return '"' + text.replace('"', '""') + '"'
    return text


# ── lakeside: one JSON object a line, gzip ───────────────────────────────────────────────────────────────────────────


def lakeside() -> Feed:
    """The nightly dump of a marketplace's API."""

    def record(rng: random.Random, product: Product) -> Record:
        offset = dt.timezone(dt.timedelta(hours=rng.choice((-5, -4, 0))))
        changed = product.changed.replace(tzinfo=dt.timezone.utc).astimezone(offset)
        number = None if product.price is None else float(product.price)
        fields = {
            "sku": f"LK{product.number:08d}",
            "name": product.title,
            "details": product.description,
            "brand": product.maker,
            "price": rng.choice((number, None if product.price is None else f"{product.price:.2f}")),
            "currency": product.currency,
            "gtin": product.gtin,
            "category": product.category,
            "in_stock": product.in_stock,
            "updated_at": changed.isoformat().replace("+00:00", "Z"),
        }
        names = [name for name, value in fields.items() if value is not None or rng.random() < 0.5]
        if rng.random() < 0.1:
            rng.shuffle(names)
            fields["rank"] = rng.randrange(100)
            names.append("rank")
        return {name: fields[name] for name in names}

    def encode(record: Record) -> bytes:
        # Half of the records escape what is not ASCII, as two producers would.
        ascii_only = len(str(record.get("name"))) % 2 == 0
        text = json.dumps(record, ensure_ascii=ascii_only, separators=(",", ":"))
        return text.encode("utf-8") + b"\n"

    faults = (
        values(("sku", None, "missing_required", "id")),
        values(("sku", "lk-1", "pattern_mismatch", "id")),
        values(("name", "", "missing_required", "title")),
        values(("name", "é" * 301, "too_long", "title")),
        values(("price", "N/A", "not_a_number", "price")),
        values(("price", [1, 2], "wrong_type", "price")),
        values(("price", -3, "below_minimum", "price")),
        values(("price", 2e6, "above_maximum", "price")),
        values(("price", 12.345, "out_of_range", "price")),
        values(("currency", "CAD", "not_allowed", "currency")),
        values(("gtin", "40123", "pattern_mismatch", "gtin")),
        values(("category", "garden", "not_allowed", "category")),
        values(("in_stock", "perhaps", "not_a_boolean", "in_stock")),
        values(("updated_at", "yesterday", "not_a_timestamp", "updated_at")),
        values(("details", "a\0b", "nul_character", "description")),
        values(("currency", "XXX", "not_allowed", "currency"), ("updated_at", None, "missing_required", "updated_at")),
        line("invalid_json", lambda text: text[: len(text) // 2] + b"\n"),
        line("invalid_json", lambda text: b"[" + text[:-1] + b"]\n"),
        line("invalid_encoding", lambda text: text.replace(b'"currency"', b'"note":"\xff\xfe","currency"')),
    )
    product = _products(catalogue.LAKESIDE)
    return Feed("lakeside", "lakeside.ndjson.gz", 1800, b"", product, record, encode, faults)


# ── orient: tab-separated text, nothing quoted ───────────────────────────────────────────────────────────────────────

ORIENT_HEADER = "item_id item_name long_text maker unit_price curr barcode group stock changed".split()


def orient() -> Feed:
    """A wholesaler's list."""

    def record(rng: random.Random, product: Product) -> Record:
        missing = rng.choice(("", "-"))
        offset = dt.timezone(dt.timedelta(minutes=rng.choice((9 * 60, 0, 5 * 60 + 30))))
        changed = product.changed.replace(tzinfo=dt.timezone.utc).astimezone(offset)
        stock = None if product.in_stock is None else ("Y" if product.in_stock else "N")
        return {
            "item_id": str(10_000 + product.number),
            "item_name": product.title,
            "long_text": _or(product.description, missing),
            "maker": _or(product.maker, missing),
            "unit_price": _or(None if product.price is None else f"{product.price:.2f}", missing),
            "curr": rng.choice((product.currency, product.currency.lower())),
            "barcode": _or(product.gtin, missing),
            "group": product.category,
            "stock": _or(stock, missing),
            "changed": changed.isoformat(sep=" "),
        }

    def encode(record: Record) -> bytes:
        return ("\t".join(record[name] for name in ORIENT_HEADER) + "\n").encode("utf-8")

    faults = (
        values(("item_id", "-", "missing_required", "id")),
        values(("item_id", "12AB", "pattern_mismatch", "id")),
        values(("item_name", "", "missing_required", "title")),
        values(("item_name", "電" * 301, "too_long", "title")),
        values(("maker", "m" * 101, "too_long", "manufacturer")),
        values(("unit_price", "1,299.00", "not_a_number", "price")),
        values(("unit_price", "-0.01", "below_minimum", "price")),
        values(("curr", "yen", "not_allowed", "currency")),
        values(("barcode", "40123x", "pattern_mismatch", "gtin")),
        values(("group", "garden", "not_allowed", "category")),
        values(("stock", "maybe", "not_a_boolean", "in_stock")),
        values(("changed", "2026-13-01 00:00:00+09:00", "not_a_timestamp", "updated_at")),
        values(("long_text", "a\0b", "nul_character", "description")),
        line("invalid_encoding", lambda text: text[:-1] + b"\xc3\x28\n"),
        line("too_many_fields", lambda text: text[:-1] + b"\textra\n"),
        line("too_few_fields", lambda text: text[: text.rindex(b"\t")] + b"\n"),
    )
    product = _products(catalogue.ORIENT)
    head = ("\t".join(ORIENT_HEADER) + "\n").encode()
    return Feed("orient", "orient.tsv", 1200, head, product, record, encode, faults)


def _products(words: catalogue.Vocabulary) -> Callable[[random.Random, int], Product]:
    return lambda rng, number: catalogue.product(rng, number, words)


def _or(text: str | None, missing: str) -> str:
    return missing if text is None else text
