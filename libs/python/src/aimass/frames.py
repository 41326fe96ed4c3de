"""DataFrames as a mesh reads them, and answers as DataFrames.

A cell reads the same wherever it goes: None, NaN, NaT and pandas.NA are "no value", times are ISO 8601, numbers keep
all their digits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from aimass.errors import AimassError

_rows_at_once = 10_000


def write_json_lines(frame: pd.DataFrame, file: BinaryIO) -> None:
    """One JSON object a row. The index is no column: `frame.reset_index()` makes it one."""
    for rows in _chunks(frame, _rows_at_once):
        for row in records(rows):
            file.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def column_types(frame: pd.DataFrame) -> dict[str, str]:
    """Columns whose type the frame knows better than the mesh could tell from their values."""
    return {str(name): "COLUMN_TYPE_STRING" for name in frame.columns if _is_text(frame[name])}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON, by the names of their columns."""
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise AimassError("invalid_argument", f'Two columns are named "{twice}".', remedy="Rename one of them.")
    columns = [cells(frame.iloc[:, at]) for at in range(len(names))]
    return [dict(zip(names, row)) for row in zip(*columns)]


def cells(column: pd.Series) -> list[Any]:
    """The values of a column as JSON has them."""
    gaps = column.isna().to_numpy()
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC")
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        values = [None if gap else _time(value) for gap, value in zip(gaps, column)]
    else:
        values = [None if gap else _plain(value, column.name) for gap, value in zip(gaps, column.tolist())]
    return values


def frame_of(predictions: Sequence[Any], classes: dict[str, list[str]], index: pd.Index, single: str) -> pd.DataFrame:
    """The answer of `/predict`, a row for each row that was sent.

    Scores of classes become a column each: "probabilities[yes]". `single` names the column of a model of one output.
    """
    rows = [one if isinstance(one, dict) else {single: one} for one in predictions]
    frame: dict[str, Any] = {}
    for name in rows[0] if rows else []:
        values = [row[name] for row in rows]
        labels = classes.get(name)
        if labels and all(isinstance(value, list) and len(value) == len(labels) for value in values):
            for at, label in enumerate(labels):
                frame[f"{name}[{label}]"] = [value[at] for value in values]
        else:
            frame[name] = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    return pd.DataFrame(frame, index=index)


def _chunks(frame: pd.DataFrame, rows: int) -> Iterator[pd.DataFrame]:
    for start in range(0, len(frame), rows):
        yield frame.iloc[start : start + rows]


def _is_text(column: Any) -> bool:
    if not isinstance(column, pd.Series) or isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return pd.api.types.infer_dtype(column, skipna=True) == "string"


def _time(value: pd.Timestamp) -> str:
    text = value.isoformat()
    return text.removesuffix("T00:00:00") if value.tzinfo is None else text.replace("+00:00", "Z")


def _plain(value: Any, column: Any) -> Any:
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, np.generic):
        return _plain(value.item(), column)
    if isinstance(value, float):
        if np.isinf(value):
            raise AimassError(
                "invalid_argument",
                f'Column "{column}" has an infinite number.',
                remedy="Replace it by a number or NaN.",
            )
        return value
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(one, column) for one in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise AimassError(
        "invalid_argument",
        f'Column "{column}" has a {type(value).__name__}, which no dataset and no model takes.',
        remedy="Give numbers, texts, booleans or times.",
    )
