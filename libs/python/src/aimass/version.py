"""One immutable version of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any


@dataclass(frozen=True)
class Version:
    """What the library keeps of a version; `raw` has all of it, as proto/aimass/registry/v1/model.proto says."""

    project: str
    model: str
    number: int
    state: str
    metrics: dict[str, float]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    raw: dict[str, Any] = field(repr=False)

    @classmethod
    def of(cls, raw: dict[str, Any]) -> Version:
        signature = raw.get("signature", {})
        return cls(
            project=raw["project"],
            model=raw["model"],
            number=int(raw["version"]),
            state=raw.get("state", "").removeprefix("VERSION_STATE_"),
            metrics=dict(raw.get("metrics", {})),
            inputs=tuple(_tensor(one) for one in signature.get("inputs", [])),
            outputs=tuple(_tensor(one) for one in signature.get("outputs", [])),
            raw=raw,
        )

    def _repr_html_(self) -> str:
        rows = [
            ("state", self.state),
            ("inputs", ", ".join(self.inputs)),
            ("outputs", ", ".join(self.outputs)),
        ]
        rows += [(name, f"{value:.4g}") for name, value in sorted(self.metrics.items())]
        return html_table(f"{self.project}.{self.model} version {self.number}", rows)


def html_table(title: str, rows: list[tuple[str, str]]) -> str:
    """A small table for notebooks."""
    body = "".join(f"<tr><th style='text-align:left'>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows)
    return f"<table><caption>{escape(title)}</caption>{body}</table>"


def _tensor(spec: dict[str, Any]) -> str:
    """As `age FP32[-1]`."""
    return f"{spec['name']} {spec['datatype']}[{','.join(spec.get('shape', []))}]"
