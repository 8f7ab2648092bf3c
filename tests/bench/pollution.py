"""Polluted CSV files: variants of one clean table with one pollution each, and the table that a reader should return.

After Vitagliano et al., *Pollock: A Data Loading Benchmark* (VLDB 2023). The files are our own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

COLUMNS = ["id", "day", "time", "quantity", "price", "category", "description", "url", "comment"]
ROWS = 84
SEED = 13


@dataclass(frozen=True)
class Dialect:
    """The properties of a file that the author of a contract can declare."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    end: str = "\n"
    encoding: str = "utf-8"
    header_rows: int = 1
    skip_lines: int = 0
    skip_initial_space: bool = False


@dataclass(frozen=True)
class Case:
    """A file and its table. `header` is `None` if the file has none."""

    kind: str
    name: str
    content: bytes
    header: list[str] | None
    rows: list[list[str]]
    dialect: Dialect = field(default_factory=Dialect)
    # The column names in the contract: those of the header, if they are unique.
    names: list[str] = field(default_factory=lambda: COLUMNS)


def source_rows() -> list[list[str]]:
    """Returns the clean table: numbers, dates, text with delimiters and quotes, empty cells, non-ASCII letters."""
    rng = random.Random(SEED)
    things = ["Gartenmöbel", "Lampe", "café table", "desk, oak", 'screen 24" wide', "Stuhl – grün", "shelf"]
    rows = []
    for number in range(1, ROWS + 1):
        thing = rng.choice(things)
        comment = rng.choice(["", "", "fragile", 'ask for "Anna"', "left, then right", "späte Lieferung"])
        rows.append(
            [
                str(number),
                f"2024-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
                f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:00",
                str(rng.randint(1, 400)),
                f"{rng.randint(1, 900)}.{rng.randint(0, 99):02}",
                rng.choice(["home", "garden", "office"]),
                f"{thing} {rng.randint(1, 99)}",
                f"https://shop.example/{number}?q={rng.randint(1, 9)}",
                comment,
            ]
        )
    return rows


def cell(text: str, dialect: Dialect, is_forced: bool = False) -> str:
    special = [dialect.delimiter, dialect.quote, "\n", "\r"]
    if not is_forced and not any(part in text for part in special) and not (dialect.delimiter == " " and text == ""):
        return text
    escaped = text.replace(dialect.escape, dialect.escape * 2) if dialect.escape != dialect.quote else text
    return dialect.quote + escaped.replace(dialect.quote, dialect.escape + dialect.quote) + dialect.quote


def line(cells: list[str], dialect: Dialect, is_forced: bool = False) -> str:
    return dialect.delimiter.join(cell(text, dialect, is_forced) for text in cells)


def lines(rows: list[list[str]], dialect: Dialect, is_forced: bool = False) -> list[str]:
    return [line(cells, dialect, is_forced) for cells in [COLUMNS, *rows]]


def encode(found: list[str], dialect: Dialect, encoding: str | None = None) -> bytes:
    return "".join(text + dialect.end for text in found).encode(encoding or dialect.encoding)


def cases() -> Iterator[Case]:
    rows = source_rows()
    yield Case("clean", "clean", encode(lines(rows, Dialect()), Dialect()), COLUMNS, rows)
    yield from dialects(rows)
    yield from encodings(rows)
    yield from surroundings(rows)
    yield from headers(rows)
    yield from shapes(rows)
    yield from bad_quotes(rows)
    yield from bad_separators(rows)


def dialects(rows: list[list[str]]) -> Iterator[Case]:
    for delimiter in [";", "\t", "|", " ", ":", "^", "~", "\x1f", "||"]:
        dialect = Dialect(delimiter=delimiter)
        yield Case("delimiter", repr(delimiter), encode(lines(rows, dialect), dialect), COLUMNS, rows, dialect)
    dialect = Dialect(skip_initial_space=True)
    spaced = [", ".join(cell(text, dialect) for text in cells) for cells in [COLUMNS, *rows]]
    yield Case("delimiter", "', '", encode(spaced, dialect), COLUMNS, rows, dialect)
    around = [" , ".join(cell(text, dialect, True) for text in cells) for cells in [COLUMNS, *rows]]
    yield Case("delimiter", "' , ' quoted", encode(around, dialect), COLUMNS, rows, dialect)
    for name, dialect, is_forced in [
        ("'", Dialect(quote="'", escape="'"), False),
        ("' everywhere", Dialect(quote="'", escape="'"), True),
        ('" everywhere', Dialect(), True),
    ]:
        yield Case("quote", name, encode(lines(rows, dialect, is_forced), dialect), COLUMNS, rows, dialect)
    for name, dialect, is_forced in [
        ("\\", Dialect(escape="\\"), False),
        ("\\ everywhere", Dialect(escape="\\"), True),
        ("\\ with '", Dialect(quote="'", escape="\\"), True),
    ]:
        yield Case("escape", name, encode(lines(rows, dialect, is_forced), dialect), COLUMNS, rows, dialect)
    for end in ["\r\n", "\r"]:
        dialect = Dialect(end=end)
        yield Case("line ends", repr(end), encode(lines(rows, dialect), dialect), COLUMNS, rows, dialect)
    clean = lines(rows, Dialect())
    mixed = "".join(text + ("\r\n" if number % 2 else "\n") for number, text in enumerate(clean))
    for name, text in [
        ("mixed", mixed),
        ("none at the end", "\n".join(clean)),
        ("two at the end", "\n".join(clean) + "\n\n"),
    ]:
        yield Case("line ends", name, text.encode(), COLUMNS, rows)


def encodings(rows: list[list[str]]) -> Iterator[Case]:
    clean = lines(rows, Dialect())
    for name, encoding in [
        ("utf-8 with mark", "utf-8-sig"),
        ("utf-16 with mark", "utf-16"),
        ("utf-16le", "utf-16-le"),
        ("utf-16be", "utf-16-be"),
        ("windows-1252", "cp1252"),
    ]:
        dialect = Dialect(encoding=encoding)
        yield Case("encoding", name, "".join(text + "\n" for text in clean).encode(encoding), COLUMNS, rows, dialect)
    broken = encode(clean, Dialect()).replace("möbel".encode(), b"m\xf6bel", 1)
    yield Case("encoding", "one broken letter", broken, COLUMNS, rows)
    nul = encode([*clean[:40], clean[40].replace("https", "ht\0ps"), *clean[41:]], Dialect())
    with_nul = [[text.replace("https", "ht\0ps") if at == 39 else text for text in row] for at, row in enumerate(rows)]
    yield Case("encoding", "NUL in a cell", nul, COLUMNS, with_nul)


def surroundings(rows: list[list[str]]) -> Iterator[Case]:
    clean = lines(rows, Dialect())
    preambles = {
        "a line": ["Orders of the week"],
        "three lines": ["Orders of the week", "", "from: shop, for: you"],
        "padded": ["Orders of the week,,,,,,,,", ",,,,,,,,", "created,2024-01-01,,,,,,,"],
        "an open quote": ['"Orders of the week', "printed by 'Anna'"],
        "comments": ["# Orders", "# of the week"],
        "twenty lines": [f"note {number}: nothing" for number in range(20)],
    }
    for name, before in preambles.items():
        dialect = Dialect(skip_lines=len(before))
        yield Case("preamble", name, encode([*before, *clean], dialect), COLUMNS, rows, dialect)
    dialect = Dialect(delimiter=";")
    yield Case(
        "preamble",
        "sep=",
        encode(["sep=;", *lines(rows, dialect)], dialect),
        COLUMNS,
        rows,
        replace(dialect, skip_lines=1),
    )
    footnotes = {
        "a line": ["end of the orders"],
        "two lines": ["", "(1) without VAT", "(2) in EUR"],
        "totals": ["Total,,,4711,,,,,"],
    }
    for name, after in footnotes.items():
        yield Case("footnote", name, encode([*clean, *after], Dialect()), COLUMNS, rows)
    tables = {
        "fewer columns": ["category,count", "home,3", "garden,4"],
        "as many columns": [
            "a,b,c,d,e,f,g,h,i",
            "x,1,2,3,4,5,6,7,8",
        ],
        "more columns": ["a,b,c,d,e,f,g,h,i,j,k", "x,1,2,3,4,5,6,7,8,9,10"],
    }
    for name, second in tables.items():
        yield Case("second table", name, encode([*clean, "", *second], Dialect()), COLUMNS, rows)


def headers(rows: list[list[str]]) -> Iterator[Case]:
    clean = lines(rows, Dialect())
    yield Case("header", "none", encode(clean[1:], Dialect()), None, rows, Dialect(header_rows=0))
    yield Case("header", "no rows", encode(clean[:1], Dialect()), COLUMNS, [])
    yield Case("header", "one row", encode(clean[:2], Dialect()), COLUMNS, rows[:1])
    repeated = [*clean[:30], clean[0], *clean[30:]]
    yield Case("header", "repeated", encode(repeated, Dialect()), COLUMNS, rows)
    padded = [",".join(f" {name} " for name in COLUMNS), *clean[1:]]
    yield Case("header", "white space", encode(padded, Dialect()), COLUMNS, rows)
    long = [name if name != "comment" else "comment " + "x" * 70_000 for name in COLUMNS]
    yield Case("header", "long", encode([",".join(long), *clean[1:]], Dialect()), long, rows, names=long)
    units = ["", "", "", "pieces", "EUR", "", "", "", ""]
    joined = [f"{name} {unit}".strip() for name, unit in zip(COLUMNS, units)]
    two = [clean[0], ",".join(units), *clean[1:]]
    yield Case("header", "two lines", encode(two, Dialect()), joined, rows, Dialect(header_rows=2), joined)
    # The names cannot be matched, so the contract declares the order of the columns instead.
    by_order = Dialect(skip_lines=1, header_rows=0)
    twice = [name if name != "price" else "quantity" for name in COLUMNS]
    yield Case("header", "a name twice", encode([",".join(twice), *clean[1:]], Dialect()), twice, rows, by_order)
    empty = [name if name != "price" else "" for name in COLUMNS]
    yield Case("header", "an empty name", encode([",".join(empty), *clean[1:]], Dialect()), empty, rows, by_order)


def shapes(rows: list[list[str]]) -> Iterator[Case]:
    clean = lines(rows, Dialect())
    trailing = [text + "," for text in clean]
    yield Case("trailing delimiters", "every line", encode(trailing, Dialect()), COLUMNS, rows)
    yield Case("trailing delimiters", "rows only", encode([clean[0], *trailing[1:]], Dialect()), COLUMNS, rows)
    for at in [1, 40, 84]:
        one = [*clean[:at], clean[at] + ",", *clean[at + 1 :]]
        yield Case("trailing delimiters", f"row {at}", encode(one, Dialect()), COLUMNS, rows)
    for name, blank in [("lines", ""), ("delimiters", "," * 8), ("spaces", "   "), ("quotes", ",".join(['""'] * 9))]:
        for at in [1, 40, 85]:
            found = [*clean[:at], blank, *clean[at:]]
            yield Case("blank rows", f"{name} before row {at}", encode(found, Dialect()), COLUMNS, rows)
    for size in [70_000, 300_000]:
        wide = [[*row[:8], "x" * size] if at == 39 else row for at, row in enumerate(rows)]
        yield Case("long fields", f"{size} letters", encode(lines(wide, Dialect()), Dialect()), COLUMNS, wide)
    multi = [[*row[:8], f"{row[8]}\nsecond line\r\nthird"] if at % 7 == 0 else row for at, row in enumerate(rows)]
    yield Case("long fields", "several lines", encode(lines(multi, Dialect()), Dialect()), COLUMNS, multi)


def with_cell(rows: list[list[str]], at: int, column: int, found: str, written: str) -> tuple[bytes, list[list[str]]]:
    """Returns the file in which one cell has the text `written`, and the table in which its value is `found`."""
    parts = [cell(text, Dialect()) for text in rows[at]]
    parts[column] = written
    table = [list(row) for row in rows]
    table[at][column] = found
    clean = lines(rows, Dialect())
    return encode([*clean[: at + 1], ",".join(parts), *clean[at + 2 :]], Dialect()), table


def bad_quotes(rows: list[list[str]]) -> Iterator[Case]:
    """Yields files with a missing or additional quote, in each column of the first, a middle and the last row."""
    for at in [0, 41, ROWS - 1]:
        for column, name in enumerate(COLUMNS):
            place = f"{name} of row {at + 1}"
            plain = rows[at][column].replace('"', "").replace(",", "") or "text"
            half = max(1, len(plain) // 2)
            middle = f'{plain[:half]}"{plain[half:]}'
            for kind, found, written in [
                ("quote within a cell", middle, middle),
                ("quote at the end", plain + '"', plain + '"'),
                ("quote at the start", '"' + plain, '"' + plain),
                ("quote not doubled", middle, f'"{middle}"'),
            ]:
                content, table = with_cell(rows, at, column, found, written)
                yield Case(kind, place, content, COLUMNS, table)


def bad_separators(rows: list[list[str]]) -> Iterator[Case]:
    clean = lines(rows, Dialect())

    def with_line(at: int, text: str) -> bytes:
        return encode([*clean[: at + 1], text, *clean[at + 2 :]], Dialect())

    for at in [0, 41, ROWS - 1]:
        row = rows[at]
        parts = [cell(text, Dialect()) for text in row]
        for column in range(1, len(COLUMNS)):
            short = [*row[:column], *[""] * (len(COLUMNS) - column)]
            table = [short if number == at else other for number, other in enumerate(rows)]
            name = f"row {at + 1} after {column}"
            yield Case("fields missing", name, with_line(at, ",".join(parts[:column])), COLUMNS, table)
            merged = ",".join(parts[:column]) + ",".join(parts[column:])
            yield Case("delimiter missing", name, with_line(at, merged), COLUMNS, rows)
            doubled = ",".join(parts[:column]) + ",," + ",".join(parts[column:])
            yield Case("delimiter doubled", name, with_line(at, doubled), COLUMNS, rows)
        for count in [1, 2]:
            more = ",".join([*parts, *["more"] * count])
            table = [[*row, *["more"] * count] if number == at else other for number, other in enumerate(rows)]
            yield Case("fields too many", f"row {at + 1}, {count}", with_line(at, more), COLUMNS, table)
        for delimiter in [";", "\t", "|", " "]:
            text = line(row, Dialect(delimiter=delimiter))
            yield Case("row of another delimiter", f"row {at + 1}, {delimiter!r}", with_line(at, text), COLUMNS, rows)
        whole = cell(",".join(parts), Dialect(), True)
        yield Case("row in quotes", f"row {at + 1}", with_line(at, whole), COLUMNS, rows)
