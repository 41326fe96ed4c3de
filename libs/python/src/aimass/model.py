"""A model of the library: its versions, its aliases, its predictions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from aimass.connection import Connection
from aimass.errors import AimassError
from aimass.frames import frame_of, records
from aimass.tensors import infer_body, tensors_of
from aimass.version import Version, html_table

_models = "aimass.registry.v1.ModelService"
_aliases = "aimass.registry.v1.AliasService"
_bytes_a_request = 1 << 20


class Model:
    """A named series of versions. Calls go to `version`: a number, an alias, or "" for what is deployed as default."""

    def __init__(self, connection: Connection, project: str, name: str, version: str = "") -> None:
        self._connection = connection
        self.project = project
        self.name = name
        self.version = version
        self._output: str | None = None

    def at(self, version: int | str) -> Model:
        """The same model, called by a version or an alias."""
        return Model(self._connection, self.project, self.name, str(version))

    @property
    def versions(self) -> list[Version]:
        """Newest first."""
        request = {"project": self.project, "model": self.name}
        return [Version.of(one) for one in self._connection.pages(f"{_models}/ListVersions", request, "versions")]

    @property
    def aliases(self) -> dict[str, int]:
        answer = self._connection.unary(f"{_models}/GetModel", {"project": self.project, "name": self.name})
        return {one["name"]: int(one["version"]) for one in answer["model"].get("aliases", [])}

    def alias(self, name: str, version: int, *, expect: int | None = None, reason: str = "") -> None:
        """Points an alias at a version. With `expect` only if it points there now (0: if there is none)."""
        request = {
            "project": self.project,
            "model": self.name,
            "alias": name,
            "version": version,
            "reason": reason,
        }
        if expect is not None:
            request["expectedVersion"] = expect
        self._connection.unary(f"{_aliases}/MoveAlias", request)

    def rollback(self, alias: str = "default", *, reason: str = "") -> None:
        """Points an alias where it pointed before its last move."""
        request = {"project": self.project, "model": self.name, "alias": alias, "reason": reason}
        self._connection.unary(f"{_aliases}/RollbackAlias", request)

    def predict(self, rows: Any, *, parallel: int = 4) -> pd.DataFrame:
        """Predictions, a row for each of `rows`, under the same index.

        `rows`: a DataFrame with the columns the model was trained on (others are passed over), a dict or a list of
        dicts; for a model of one text, texts as a str, a list or a Series; for one tensor, an array with the rows
        along axis 0. Long ones go in requests of about 1 MB, `parallel` at a time.
        """
        bodies, index = _bodies(rows)
        if len(bodies) == 1:
            answers = [self._predict(bodies[0])]
        else:
            with ThreadPoolExecutor(max(1, parallel)) as pool:
                answers = list(pool.map(self._predict, bodies))
        predictions = [one for answer in answers for one in answer["predictions"]]
        if len(predictions) != len(index):
            raise AimassError(
                "failed_precondition",
                f"{self.name} answers {len(predictions)} predictions for {len(index)} rows: its rows are not axis 0.",
                remedy="Call infer() with its tensors.",
            )
        return frame_of(
            predictions,
            answers[0].get("classes", {}) if answers else {},
            index,
            self._single_output(),
        )

    def infer(self, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs the model on tensors by the names of its inputs; FP16 is float16, BYTES are str or bytes objects."""
        body, header = infer_body(inputs)
        answer, headers = self._connection.rest("POST", f"/v2{self._path()}/infer", body, header)
        return tensors_of(answer, headers)

    def _predict(self, body: dict[str, Any]) -> dict[str, Any]:
        sent = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        headers = {"content-type": "application/json"}
        answer: dict[str, Any] = json.loads(self._connection.rest("POST", f"{self._path()}/predict", sent, headers)[0])
        return answer

    def _single_output(self) -> str:
        """The name of the one output there is, for models of one."""
        if self._output is None:
            answer = json.loads(self._connection.rest("GET", f"/v2{self._path()}")[0])
            outputs = [one["name"] for one in answer["outputs"]]
            self._output = outputs[0] if len(outputs) == 1 else "prediction"
        return self._output

    def _path(self) -> str:
        name = self.name if self.project == "default" else f"{self.project}.{self.name}"
        return f"/models/{quote(name)}" + (f"/versions/{quote(self.version)}" if self.version else "")

    def __repr__(self) -> str:
        return f"<Model {self.project}.{self.name}{'@' + self.version if self.version else ''}>"

    def _repr_html_(self) -> str:
        aliases = {number: name for name, number in self.aliases.items()}
        rows = [
            (
                f"version {one.number}",
                f"{one.state} {aliases.get(one.number, '')} {_best(one.metrics)}",
            )
            for one in self.versions[:20]
        ]
        return html_table(f"{self.project}.{self.name}", rows)


def _bodies(rows: Any) -> tuple[list[dict[str, Any]], pd.Index]:
    if isinstance(rows, Mapping):
        rows = [rows]
    if isinstance(rows, str):
        rows = [rows]
    if isinstance(rows, Sequence) and rows and isinstance(rows[0], Mapping):
        rows = pd.DataFrame(list(rows), dtype=object)
    if isinstance(rows, pd.DataFrame):
        return [{"inputs": part} for part in _parts(records(rows))], rows.index
    if isinstance(rows, np.ndarray):
        rows = rows.tolist()
    index = rows.index if isinstance(rows, pd.Series) else pd.RangeIndex(len(rows))
    values = list(rows)
    key = "text" if values and all(isinstance(value, str) for value in values) else "inputs"
    return [{key: part} for part in _parts(values)], index


def _parts(rows: list[Any]) -> list[list[Any]]:
    """Parts of about a megabyte, by the length of the first row."""
    if not rows:
        return [[]]
    longest = max(len(json.dumps(row, default=str)) for row in rows[:20])
    size = max(1, _bytes_a_request // (longest + 2))
    count = math.ceil(len(rows) / size)
    return [rows[len(rows) * at // count : len(rows) * (at + 1) // count] for at in range(count)]


def _best(metrics: dict[str, float]) -> str:
    return " ".join(f"{name} {metrics[name]:.4g}" for name in ("accuracy", "r2", "roc_auc") if name in metrics)
