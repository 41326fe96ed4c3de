#!/usr/bin/env bash
# pandas 3.1.1, pyarrow 26.0.1, polars 2.1.0, DuckDB 2.0.1 (the newest on 2026-11-29), Python 3.11.
#
# Guess: the index that pandas writes into a Parquet file after a filter or a shuffle is the reader's index again, also when polars or DuckDB rewrote the file.
# Seen: pandas marks it in the file's metadata alone; polars and DuckDB read it as a column named __index_level_0__, write it as one and drop the mark, so that
# pandas itself then reads a column. In a table that was sorted by class before the shuffle it gives the class away to whatever learns from it.
# So: leave __index_level_0__ out by its name too, not by the metadata alone; reset_index(drop=True) before to_parquet.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1
cat > index.py <<'PY'
import duckdb
import pandas as pd
import polars as pl

pd.DataFrame({"a": [1, 2, 3, 4]}).iloc[[2, 0, 3, 1]].to_parquet("pandas.parquet")
pl.read_parquet("pandas.parquet").write_parquet("polars.parquet")
duckdb.sql("COPY (SELECT * FROM 'pandas.parquet') TO 'duckdb.parquet'")
columns = {by: list(pd.read_parquet(f"{by}.parquet").columns) for by in ("pandas", "polars", "duckdb")}
print(columns)
assert columns == {"pandas": ["a"], "polars": ["a", "__index_level_0__"], "duckdb": ["a", "__index_level_0__"]}
PY
venv/bin/python index.py
