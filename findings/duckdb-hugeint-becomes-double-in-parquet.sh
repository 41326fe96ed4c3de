#!/usr/bin/env bash
# DuckDB 2.0.1 and pyarrow 26.0.1 (the newest on 2026-11-29), Python 3.11.
#
# Guess: COPY … TO 'file.parquet' of HUGEINT writes whole numbers, as a decimal or as text, or refuses; sum() of a BIGINT is a HUGEINT, so files of totals have them.
# Seen: the column is a Parquet DOUBLE without a logical type, in silence: 9007199254740993 is written as 9007199254740992, and DuckDB itself reads it back so.
# UHUGEINT likewise. A reader cannot tell that it was a whole number.
# So: cast to DECIMAL(38, 0) or VARCHAR before COPY; a checksum or id that went through sum() or HUGEINT is not to be trusted in such a file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1
cat > hugeint.py <<'PY'
import duckdb
import pyarrow.parquet as pq

duckdb.sql(
    """COPY (SELECT 9007199254740993::HUGEINT AS huge, 9007199254740993::BIGINT AS big,
    sum(n) AS total FROM (VALUES (9007199254740992::BIGINT), (1)) AS t(n)) TO 'f.parquet'"""
)
table = pq.read_table("f.parquet")
types = {name: str(table.schema.field(name).type) for name in table.schema.names}
rows = table.to_pylist()[0]
print(types, rows, duckdb.sql("SELECT huge, total FROM 'f.parquet'").fetchall())
assert types == {"huge": "double", "big": "int64", "total": "double"}, types
assert rows == {"huge": 9007199254740992.0, "big": 9007199254740993, "total": 9007199254740992.0}, rows
PY
venv/bin/python hugeint.py
