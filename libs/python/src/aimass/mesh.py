"""A mesh, and everything one can do with it."""

from __future__ import annotations

import base64
import io
import os
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import pandas as pd

from aimass.connection import Connection
from aimass.credentials import ApiKey, CliSession, Credential
from aimass.dataset import Dataset
from aimass.errors import AimassError
from aimass.frames import column_types, write_json_lines
from aimass.job import Job, log_to_stderr
from aimass.model import Model
from aimass.uploads import upload
from aimass.version import Version

_models = "aimass.registry.v1.ModelService"
_datasets = "aimass.registry.v1.DatasetService"
_deployments = "aimass.scheduler.v1.DeploymentService"
_training = "aimass.trainer.v1.TrainingService"
_inspection_seconds = 300.0
# Routers hear of new routes within some ten milliseconds.
_routing_seconds = 3.0


def connect(server: str | None = None, credential: Credential | str | None = None, *, timeout: float = 60.0) -> Mesh:
    """A way to a mesh; nothing is sent yet.

    `server`: AIMASS_SERVER, else http://127.0.0.1:5000. `credential`: an API key as a str, `Password`, `ApiKey`; by
    default AIMASS_API_KEY, else the session of `aimass login`. `timeout`: seconds one answer may take.
    """
    url = server or os.environ.get("AIMASS_SERVER") or "http://127.0.0.1:5000"
    if isinstance(credential, str):
        credential = ApiKey(credential)
    if credential is None:
        key = os.environ.get("AIMASS_API_KEY")
        credential = ApiKey(key) if key else CliSession()
    return Mesh(Connection(url, credential, timeout=timeout))


class Mesh:
    """A caller's way to a mesh. Names are "name" in the project default, or "project.name"."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def server(self) -> str:
        return self._connection.server

    @property
    def models(self) -> list[Model]:
        """Those the caller may view, by name."""
        found = self._connection.pages(f"{_models}/ListModels", {}, "models")
        return [Model(self._connection, one["project"], one["name"]) for one in found]

    @property
    def datasets(self) -> list[Dataset]:
        """The newest version of each that the caller may view, by name."""
        return [Dataset.of(one) for one in self._connection.pages(f"{_datasets}/ListDatasets", {}, "datasets")]

    def model(self, name: str, version: int | str = "") -> Model:
        """A model by name; whether it is there shows at the first call."""
        project, own = _split(name)
        return Model(self._connection, project, own, str(version))

    def dataset(self, name: str, version: int = 0) -> Dataset:
        """A version of a dataset; 0: the newest."""
        project, own = _split(name)
        request = {"project": project, "dataset": own, "version": version}
        return Dataset.of(self._connection.unary(f"{_datasets}/GetDatasetVersion", request)["datasetVersion"])

    def push_dataset(self, name: str, data: pd.DataFrame | str | Path, *, description: str = "") -> Dataset:
        """Makes the next version of a dataset from a DataFrame or a file; equal content makes none.

        The index of a DataFrame is no column. Types come from the frame: texts stay texts, also where they look like
        numbers.
        """
        project, own = _split(name)
        request: dict[str, Any] = {"project": project, "dataset": own, "description": description}
        with _data_file(data) as file:
            sha256, _size = upload(self._connection, project, file)
        if isinstance(data, pd.DataFrame):
            request["format"] = "DATASET_FORMAT_JSON_LINES"
            request["read"] = {"types": column_types(data), "keepIndex": True}
        request["sha256"] = base64.b64encode(sha256).decode()
        method = f"{_datasets}/CreateDatasetVersion"
        answer = self._connection.unary(method, request, timeout=_inspection_seconds)
        return Dataset.of(answer["datasetVersion"])

    def push(
        self,
        name: str,
        model: Any,
        *,
        alias: str = "",
        description: str = "",
        metrics: Mapping[str, float] | None = None,
    ) -> Version:
        """Makes the next version of a model, which is made when missing, and points `alias` at it when one is given.

        `model`: an .onnx file, a folder with model.onnx, the bytes of a file, or anything with SerializeToString(),
        such as what skl2onnx gives.
        """
        project, own = _split(name)
        request: dict[str, Any] = {
            "project": project,
            "model": own,
            "description": description,
            "metrics": dict(metrics or {}),
            "createModel": True,
            "idempotencyKey": str(uuid.uuid4()),
            "files": list(self._uploaded(project, model)),
        }
        answer = self._connection.unary(f"{_models}/CreateVersion", request, timeout=_inspection_seconds)
        version = Version.of(answer["version"])
        if alias:
            self.model(name).alias(alias, version.number)
        return version

    def train(
        self,
        model: str,
        *,
        dataset: str | Dataset | pd.DataFrame,
        target: str,
        recipe: str,
        alias: str = "default",
        wait: bool = True,
        quiet: bool = False,
        **spec: Any,
    ) -> Job:
        """Trains the next version of `model`, and points `alias` at it when every gate passes ("": no alias).

        `dataset`: its name, a version of it, or a DataFrame, which is pushed under the model's name first. `recipe`:
        one of `recipes()`, or "auto". `spec`: everything else that a JobSpec takes, in its own names
        (proto/aimass/trainer/v1/job_spec.proto): `test_share=0.3`, `parameters={"depth": 6}`, `folds=5`. With `wait`
        the log goes to stderr, unless `quiet`, and a job that fails raises.
        """
        if isinstance(dataset, pd.DataFrame):
            dataset = self.push_dataset(model, dataset)
        project, own = _split(model)
        if isinstance(dataset, Dataset):
            spec["dataset"], spec["dataset_version"] = dataset.name, dataset.version
        else:
            spec["dataset"] = _split(dataset)[1]
        whole = {
            **spec,
            "project": project,
            "model": own,
            "target": target,
            "recipe": recipe,
            "alias": alias,
        }
        request = {"spec": whole, "idempotencyKey": str(uuid.uuid4())}
        job = Job(self._connection, self._connection.unary(f"{_training}/CreateJob", request)["job"])
        return job.wait(None if quiet else log_to_stderr) if wait else job

    def recipes(self) -> pd.DataFrame:
        """The built-in ways to train."""
        found = self._connection.unary(f"{_training}/ListRecipes", {}).get("recipes", [])
        frame = pd.DataFrame(found, columns=["name", "description", "tasks", "parameters"])
        return frame.set_index("name")

    def deploy(
        self,
        model: str,
        *,
        replicas: int = 1,
        wait: bool = True,
        timeout: float = 120.0,
        **spec: Any,
    ) -> Model:
        """Serves a model and returns it, ready to be called. `spec`: what else a DeploymentSpec takes."""
        project, own = _split(model)
        whole = {**spec, "project": project, "model": own, "replicas": replicas}
        put = self._connection.unary(f"{_deployments}/PutDeployment", {"spec": whole})
        wanted = _pointed_at(put.get("deployment", {}).get("status", {}))
        ends_at = time.monotonic() + timeout
        first: dict[str, str] = {}
        while wait:
            status = self._status(project, own)
            # An alias that was just moved may not be known to the mesh yet: what it says then is of the version before.
            # A third version is of the time after: somebody has moved it on.
            points = _pointed_at(status)
            for alias, version in points.items():
                if version != wanted.get(alias):
                    first.setdefault(alias, version)
            seen = all(points.get(alias) not in (None, first.get(alias)) for alias in wanted)
            if seen and status.get("settled"):
                self._wait_until_routed(model, status, spec.get("versions", ()))
                break
            versions = status.get("versions", []) if seen else []
            failed = [one for one in versions if one.get("phase") == "ROLLOUT_PHASE_FAILED"]
            if failed:
                raise AimassError(
                    "failed_precondition",
                    f"Version {failed[0]['version']} does not serve: {failed[0].get('reason', '')}",
                )
            if time.monotonic() > ends_at:
                said = status.get("summary", "")
                raise AimassError("deadline_exceeded", f"{model} is not served after {timeout:g} s: {said}")
            time.sleep(0.2)
        return self.model(model)

    def undeploy(self, model: str) -> None:
        """Ends a deployment; the model stays in the library."""
        project, own = _split(model)
        self._connection.unary(f"{_deployments}/DeleteDeployment", {"project": project, "model": own})

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Mesh:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Mesh {self.server}>"

    def _status(self, project: str, model: str) -> dict[str, Any]:
        answer = self._connection.unary(f"{_deployments}/GetDeployment", {"project": project, "model": model})
        status: dict[str, Any] = answer["deployment"].get("status", {})
        return status

    def _wait_until_routed(self, model: str, status: Mapping[str, Any], versions: Iterable[Any]) -> None:
        """The routes may still be on their way to the router here. Whoever may not call the model cannot see them."""
        ends_at = time.monotonic() + _routing_seconds
        serving = {one["alias"]: one.get("servedVersion", "0") for one in status.get("aliases", [])}
        serving |= {str(version): str(version) for version in versions}
        for alias, served in serving.items():
            while served != "0" and time.monotonic() < ends_at and not self._is_routed(model, alias, served):
                time.sleep(0.02)

    def _is_routed(self, model: str, alias: str, served: str) -> bool:
        try:
            _, headers = self._connection.rest("GET", f"/v2/models/{quote(model)}/versions/{quote(alias)}/ready")
        except AimassError:
            return False
        return headers.get("aimass-version", served) == served

    def _uploaded(self, project: str, model: Any) -> Iterator[dict[str, str]]:
        for path, source in _bundle(model):
            with source if isinstance(source, io.BytesIO) else open(source, "rb") as file:
                sha256, size = upload(self._connection, project, file)
            yield {
                "path": path,
                "sha256": base64.b64encode(sha256).decode(),
                "sizeBytes": str(size),
            }


def _pointed_at(status: Mapping[str, Any]) -> dict[str, str]:
    """The version that each alias of a deployment points at, whichever serves."""
    return {one["alias"]: one.get("wantedVersion", "0") for one in status.get("aliases", [])}


def _split(name: str) -> tuple[str, str]:
    project, dot, own = name.partition(".")
    return (project, own) if dot else ("default", name)


def _bundle(model: Any) -> list[tuple[str, io.BytesIO | Path]]:
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if isinstance(model, (bytes, bytearray, memoryview)):
        return [("model.onnx", io.BytesIO(model))]
    path = Path(model)
    if path.is_file():
        return [("model.onnx", path)]
    if not path.is_dir():
        raise AimassError("not_found", f"{path} is not there.", remedy="Check the path.")
    files = sorted(one for one in path.rglob("*") if one.is_file())
    named = [(one.relative_to(path), one) for one in files]
    return [(own.as_posix(), one) for own, one in named if not any(part.startswith(".") for part in own.parts)]


@contextmanager
def _data_file(data: pd.DataFrame | str | Path) -> Iterator[BinaryIO]:
    if not isinstance(data, pd.DataFrame):
        with open(data, "rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as made:
        write_json_lines(data, made)
        yield made
