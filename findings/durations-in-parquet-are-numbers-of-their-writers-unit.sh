#!/usr/bin/env bash
# pyarrow 26.0.1, DuckDB 2.0.1 and polars 2.1.0 (the newest on 2026-11-30), Python 3.11.
#
# Guess: a column of durations (pandas' timedelta) keeps its meaning in Parquet, or its writer or reader refuses it, as it is with times of day.
# Seen: it is written as INT64 without a logical type; unit and meaning stand only in Arrow's own schema among the file's metadata. polars and pyarrow
# read that, DuckDB does not, and says nothing: the same 90 s are the BIGINT 90000 in one file and 90000000 in the next, by the unit of whoever wrote it.
# So: write durations as seconds in a number, and read ARROW:schema before believing an INT64.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0
cat > durations.py <<'PY'
from datetime import timedelta

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

wait = timedelta(seconds=90)
seen = {}
for unit in ("ms", "us"):
    file = f"{unit}.parquet"
    pq.write_table(pa.table({"wait": pa.array([wait], pa.duration(unit))}), file)
    column = pq.ParquetFile(file).schema.column(0)
    duck = duckdb.sql(f"SELECT wait, typeof(wait) FROM '{file}'").fetchall()[0]
    seen[unit] = (column.physical_type, column.logical_type.type, duck, pl.read_parquet(file)["wait"][0])
print(seen)
assert seen == {
    "ms": ("INT64", "NONE", (90_000, "BIGINT"), wait),
    "us": ("INT64", "NONE", (90_000_000, "BIGINT"), wait),
}, seen
PY
venv/bin/python durations.py
