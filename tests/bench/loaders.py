"""The systems that `make bench-robustness` compares. Each reads a file into a header and rows of text, or fails."""

from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars

from pollution import Case, Dialect

Table = tuple[list[str], list[list[str]]]
MAX_FIELD_CHARS = 10_000_000


class NotLoadedError(Exception):
    """The system cannot load the file."""


@dataclass(frozen=True)
class System:
    name: str
    load: Callable[[Case, Path], Table]


def systems(penstock: Path, work: Path) -> list[System]:
    return [
        System("penstock declared", lambda case, file: load_penstock(penstock, work, case, file, case.dialect)),
        System("penstock undeclared", lambda case, file: load_penstock(penstock, work, case, file, None)),
        System("duckdb declared", lambda case, file: load_duckdb(case, file, case.dialect)),
        System("duckdb undeclared", lambda case, file: load_duckdb(case, file, None)),
        System("pandas declared", lambda case, file: load_pandas(file, case.dialect)),
        System("pandas undeclared", lambda case, file: load_pandas(file, None)),
        System("polars declared", lambda case, file: load_polars(file, case.dialect)),
        System("polars undeclared", lambda case, file: load_polars(file, None)),
    ]


def contract(case: Case, dialect: Dialect | None) -> dict[str, Any]:
    """Returns a contract in which all columns except `id` are text, with or without the dialect."""
    properties: dict[str, Any] = {}
    if dialect is not None:
        properties = {
            "penstock.delimiter": dialect.delimiter,
            "penstock.quote": dialect.quote,
            "penstock.escape": dialect.escape,
            "penstock.header": dialect.header_rows > 0,
            "penstock.skipLines": dialect.skip_lines,
            "penstock.skipInitialSpace": dialect.skip_initial_space,
            "penstock.encoding": {"utf-8-sig": "utf-8", "cp1252": "windows-1252"}.get(
                dialect.encoding, dialect.encoding
            ).replace("utf-16-", "utf-16"),
            "penstock.ragged": "pad",
        }
        if dialect.header_rows > 1:
            properties["penstock.headerRows"] = dialect.header_rows

    def custom(pairs: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"property": name, "value": value} for name, value in pairs.items()]

    columns = [
        {"name": f"column_{number}", "physicalName": name, "logicalType": "integer" if name == "id" else "string"}
        for number, name in enumerate(case.names)
    ]
    server: dict[str, Any] = {"server": "raw", "type": "s3", "location": "s3://raw/robustness/", "format": "csv"}
    if properties:
        server["customProperties"] = custom(properties)
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "robustness",
        "name": "robustness",
        "version": "1.0.0",
        "status": "active",
        "servers": [server],
        "customProperties": custom({"penstock.maxRejectsPercent": 100, "penstock.unexpectedColumns": "ignore"}),
        "schema": [{"name": "things", "physicalName": "public.things", "properties": columns}],
    }


def load_penstock(penstock: Path, work: Path, case: Case, file: Path, dialect: Dialect | None) -> Table:
    # JSON is YAML.
    (work / "contract.yaml").write_text(json.dumps(contract(case, dialect)), encoding="utf-8")
    accepted = work / "accepted.ndjson"
    accepted.unlink(missing_ok=True)
    command: list[str | Path] = [
        penstock,
        "check",
        "--contract",
        work / "contract.yaml",
        "--accepted",
        accepted,
        "--json",
        file,
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode == 64:
        raise SystemExit(f"{case.kind}, {case.name}: {run.stderr}")
    if run.returncode not in (0, 1):
        raise NotLoadedError(run.stdout)
    rows = [json.loads(row) for row in accepted.read_text(encoding="utf-8").splitlines()]
    names = [f"column_{number}" for number in range(len(case.names))]
    return case.names, [[text_of(row.get(name)) for name in names] for row in rows]


def text_of(value: Any) -> str:
    return "" if value is None else str(value)


def load_duckdb(case: Case, file: Path, dialect: Dialect | None) -> Table:
    # The options with the best score, after trying `strict_mode` and `null_padding` with and without a dialect.
    options: dict[str, Any] = {"ignore_errors": True, "max_line_size": MAX_FIELD_CHARS, "parallel": False}
    if dialect is None:
        # DuckDB does not detect a header when all columns are text.
        options |= {"all_varchar": True, "header": True}
    else:
        encodings = {"utf-8-sig": "utf-8", "cp1252": "latin-1", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}
        options |= {
            "delim": dialect.delimiter,
            "quote": dialect.quote,
            "escape": dialect.escape,
            "header": dialect.header_rows > 0,
            "skip": dialect.skip_lines + max(dialect.header_rows - 1, 0),
            "encoding": encodings.get(dialect.encoding, dialect.encoding),
            "strict_mode": False,
            "auto_detect": False,
            "columns": dict.fromkeys(case.names, "VARCHAR"),
        }
    shown = ", ".join(f"{name} = {literal(value)}" for name, value in options.items())
    try:
        with duckdb.connect() as connection:
            found = connection.execute(f"SELECT * FROM read_csv({literal(str(file))}, {shown})")
            header = [column[0] for column in found.description]
            return header, [[text_of(value) for value in row] for row in found.fetchall()]
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise NotLoadedError(str(error)) from error


def literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def load_pandas(file: Path, dialect: Dialect | None) -> Table:
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "on_bad_lines": "skip", "index_col": False}
    if dialect is None:
        options |= {"sep": None, "engine": "python"}
    else:
        has_escape = dialect.escape != dialect.quote
        options |= {
            "sep": dialect.delimiter if len(dialect.delimiter) == 1 else dialect.delimiter.replace("|", r"\|"),
            "engine": "c" if len(dialect.delimiter) == 1 else "python",
            "quotechar": dialect.quote,
            "doublequote": not has_escape,
            "escapechar": dialect.escape if has_escape else None,
            "skipinitialspace": dialect.skip_initial_space,
            "skiprows": dialect.skip_lines,
            "encoding": dialect.encoding,
            "header": None if dialect.header_rows == 0 else 0,
        }
        if dialect.header_rows > 1:
            options["header"] = list(range(dialect.header_rows))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = pandas.read_csv(file, **options)
    except Exception as error:
        raise NotLoadedError(str(error)) from error
    header = [" ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame.columns]
    return header, [[text_of(value) for value in row] for row in frame.fillna("").itertuples(index=False)]


def load_polars(file: Path, dialect: Dialect | None) -> Table:
    options: dict[str, Any] = {"infer_schema": False, "ignore_errors": True, "truncate_ragged_lines": True}
    if dialect is not None:
        options |= {
            "separator": dialect.delimiter,
            "quote_char": dialect.quote,
            "eol_char": "\r" if dialect.end == "\r" else "\n",
            "skip_lines": dialect.skip_lines,
            "has_header": dialect.header_rows > 0,
            "encoding": "utf8-lossy" if dialect.encoding.startswith("utf-8") else dialect.encoding,
        }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = polars.read_csv(file, **options)
    except Exception as error:
        raise NotLoadedError(str(error)) from error
    return frame.columns, [[text_of(value) for value in row] for row in frame.iter_rows()]
