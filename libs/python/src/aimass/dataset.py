"""One immutable version of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Dataset:
    """What the library keeps of a dataset; `raw` has all of it, as proto/aimass/registry/v1/dataset.proto says."""

    project: str
    name: str
    version: int
    rows: int
    warnings: tuple[str, ...]
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Dataset:
        return cls(
            project=raw["project"],
            name=raw["dataset"],
            version=int(raw["version"]),
            rows=int(raw.get("rows", 0)),
            warnings=tuple(raw.get("warnings", [])),
            raw=raw,
        )

    @property
    def columns(self) -> pd.DataFrame:
        """A row for each column: its type, gaps, range and most frequent value."""
        return pd.DataFrame(
            [
                {
                    "column": one["name"],
                    "type": one.get("looks") or one.get("type", "").removeprefix("COLUMN_TYPE_").lower(),
                    "missing": int(one.get("missing", 0)),
                    "distinct": int(one.get("distinct", 0)),
                    "minimum": one.get("minimum") if one.get("type") == "COLUMN_TYPE_NUMBER" else None,
                    "maximum": one.get("maximum") if one.get("type") == "COLUMN_TYPE_NUMBER" else None,
                    "frequent": next((value["value"] for value in one.get("frequent", [])), None),
                }
                for one in self.raw.get("columns", [])
            ]
        ).set_index("column")

    def _repr_html_(self) -> str:
        head = f"<p>{self.project}.{self.name} version {self.version}, {self.rows} rows</p>"
        return head + str(self.columns.to_html())
