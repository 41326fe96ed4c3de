"""Training jobs and what they found."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from aimass.connection import Connection
from aimass.errors import AimassError
from aimass.version import html_table

_service = "aimass.trainer.v1.TrainingService"
_ended = ("SUCCEEDED", "FAILED", "CANCELLED")
_most_breaks = 20


class Job:
    """A training job. `metrics` are those of the rows that were held out."""

    def __init__(self, connection: Connection, raw: dict[str, Any]) -> None:
        self._connection = connection
        self.raw = raw

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def state(self) -> str:
        return str(self.raw.get("state", "")).removeprefix("JOB_STATE_")

    @property
    def reason(self) -> str:
        """One sentence: why it failed, or what it is doing."""
        return str(self.raw.get("stateReason", ""))

    @property
    def metrics(self) -> dict[str, float]:
        return {name: _number(value) for name, value in self.raw.get("metrics", {}).items()}

    @property
    def version(self) -> int:
        """The version it made; 0 until it succeeded."""
        return int(self.raw.get("modelVersion", 0))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of the data and the model."""
        return tuple(self.raw.get("warnings", []))

    @property
    def report(self) -> Report:
        """How good the model is, and what was tried to get there."""
        answer = self._connection.unary(f"{_service}/GetJobReport", {"id": self.id})
        return Report(answer["report"])

    def refresh(self) -> Job:
        """Asks how it stands."""
        self.raw = self._connection.unary(f"{_service}/GetJob", {"id": self.id})["job"]
        return self

    def cancel(self) -> Job:
        """Asks it to stop; a running one ends within 2 s."""
        self.raw = self._connection.unary(f"{_service}/CancelJob", {"id": self.id})["job"]
        return self

    def wait(self, on_log: Callable[[str], None] | None = None) -> Job:
        """Follows it to its end, over broken connections. One that fails raises `failed_precondition`."""
        sequence, breaks = "0", 0
        while self.state not in _ended:
            try:
                request = {"id": self.id, "afterSequence": sequence}
                for event in self._connection.server_stream(f"{_service}/WatchJob", request):
                    sequence, breaks = event["sequence"], 0
                    if "job" in event:
                        self.raw = event["job"]
                    if on_log is not None and "logLine" in event:
                        on_log(event["logLine"])
                self.refresh()
            except AimassError as error:
                breaks += 1
                if error.code != "unavailable" or breaks > _most_breaks:
                    raise
                time.sleep(min(2.0, 0.1 * 2**breaks))
        if self.state != "SUCCEEDED":
            raise AimassError("failed_precondition", f"Job {self.id} {self.state.lower()}: {self.reason}")
        return self

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state}{_said(self.metrics)}>"

    def _repr_html_(self) -> str:
        rows = [("state", f"{self.state} {self.reason}")]
        rows += [(name, f"{value:.4g}") for name, value in sorted(self.metrics.items())]
        rows += [("warning", warning) for warning in self.warnings]
        return html_table(f"job {self.id}", rows)


@dataclass(frozen=True)
class Report:
    """What is known of a model, as tables; `raw` has all of it, as proto/aimass/trainer/v1/evaluation.proto says."""

    raw: dict[str, Any] = field(repr=False)

    @property
    def metrics(self) -> pd.Series:
        return pd.Series(
            {name: _number(value) for name, value in self.raw.get("metrics", {}).items()},
            name="value",
        )

    @property
    def importances(self) -> pd.DataFrame:
        """By how much the model is worse when a column is shuffled, largest first."""
        frame = pd.DataFrame(self.raw.get("importances", []), columns=["column", "mean", "deviation"])
        return frame.fillna({"mean": 0.0, "deviation": 0.0}).set_index("column")

    @property
    def confusion(self) -> pd.DataFrame:
        """Held-out rows by actual class (rows) and predicted class (columns); empty for a regression."""
        detail = self.raw.get("classification", {})
        classes = detail.get("classes", [])
        counts = np.array([int(count) for count in detail.get("confusion", [])])
        if counts.size != len(classes) ** 2:
            return pd.DataFrame()
        names = pd.Index(classes, name="actual"), pd.Index(classes, name="predicted")
        return pd.DataFrame(counts.reshape(len(classes), len(classes)), *names)

    @property
    def trials(self) -> pd.DataFrame:
        """What a search or "auto" tried, best first."""
        return pd.DataFrame(self.raw.get("leaderboard", []))

    def _repr_html_(self) -> str:
        parts = [self.metrics.to_frame(), self.importances.head(15), self.confusion, self.trials]
        return "".join(str(part.to_html()) for part in parts if len(part) > 0)


def log_to_stderr(line: str) -> None:
    print(f"  {line}", file=sys.stderr)


def _number(value: float | str) -> float:
    """Protocol Buffers' JSON writes NaN and infinities as words."""
    return float(value)


def _said(metrics: dict[str, float]) -> str:
    return "".join(f" {name}={value:.4g}" for name, value in sorted(metrics.items()) if not name.startswith("train_"))
