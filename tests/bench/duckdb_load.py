"""The work of `file_bench copy` in DuckDB: reads typed columns on one thread, stores bad rows and writes CSV.

`duckdb_load.py FILE OUT` prints the numbers of written and rejected rows. It checks types only, not the patterns,
lengths, bounds and allowed values that Penstock also checks.
"""

from __future__ import annotations

import sys

import duckdb

COLUMNS = {
    "id": "VARCHAR",
    "source": "VARCHAR",
    "title": "VARCHAR",
    "brand": "VARCHAR",
    "category": "VARCHAR",
    "price": "DECIMAL(12,2)",
    "currency": "VARCHAR",
    "gtin": "BIGINT",
    "updated_at": "TIMESTAMPTZ",
    "attributes": "JSON",
}


def main() -> None:
    source, out = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 1})
    read = f"read_csv('{source}', header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
    read += f"new_line = '\\r\\n', columns = {COLUMNS}, store_rejects = true, rejects_limit = 0)"
    written = connection.execute(f"COPY (SELECT * FROM {read}) TO '{out}' (FORMAT csv, HEADER true)").fetchone()
    rejected = connection.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchone()
    print(*(written or ()), *(rejected or ()))


if __name__ == "__main__":
    main()
