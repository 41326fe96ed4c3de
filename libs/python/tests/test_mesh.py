"""Against a running mesh: AIMASS_SERVER, and AIMASS_API_KEY of somebody who may make and deploy models."""

import io
import os
import unittest
from unittest import skipUnless

import numpy as np
import pandas as pd

import aimass

_there = "AIMASS_SERVER" in os.environ and "AIMASS_API_KEY" in os.environ


def _pupils(rows: int = 300) -> pd.DataFrame:
    """Who passes is told by the hours alone; the code looks like a number and is none."""
    random = np.random.default_rng(7)
    hours = random.uniform(0, 10, rows)
    return pd.DataFrame(
        {
            "hours": np.where(random.random(rows) < 0.1, np.nan, hours),
            "school": random.choice(["north", "south", "NA"], rows),
            "code": random.choice(["01", "02"], rows),
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 300, rows), "D"),
            "passed": np.where(hours > 5, "yes", "no"),
        },
        index=[f"pupil-{at}" for at in range(rows)],
    )


@skipUnless(_there, "needs a mesh: AIMASS_SERVER and AIMASS_API_KEY")
class APersonWithADataFrame(unittest.TestCase):
    mesh: aimass.Mesh

    @classmethod
    def setUpClass(cls) -> None:
        cls.mesh = aimass.connect()
        cls.addClassCleanup(cls.mesh.close)

    def test_trains_deploys_and_predicts_with_it(self) -> None:
        frame = _pupils()
        job = self.mesh.train("pupils", dataset=frame, target="passed", recipe="decision-tree", quiet=True)
        self.assertGreater(job.metrics["accuracy"], 0.7)
        self.assertIn("hours", job.report.importances.index)
        self.assertEqual(int(job.report.confusion.to_numpy().sum()), 60)

        model = self.mesh.deploy("pupils")
        predicted = model.predict(frame)
        self.assertEqual(list(predicted.index), list(frame.index))
        self.assertGreater((predicted["label"] == frame["passed"]).mean(), 0.8)
        scores = predicted[[name for name in predicted.columns if name.startswith("probabilities")]]
        self.assertEqual(list(scores.columns), ["probabilities[no]", "probabilities[yes]"])
        np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)

        one = model.predict({"hours": 9.5, "school": "north", "code": "01", "day": "2026-02-01"})
        self.assertEqual(one["label"].tolist(), ["yes"])
        self.assertIn("pupils", [each.name for each in self.mesh.models])
        self.assertEqual(model.aliases, {"default": job.version})
        for shown in (job, job.report, model, model.versions[0], self.mesh.dataset("pupils")):
            self.assertIn("<t", shown._repr_html_())

    def test_gets_the_same_answers_in_many_requests_as_in_one(self) -> None:
        frame = pd.DataFrame({"x": np.arange(40_000, dtype=float), "label": "z" * 100})
        frame["y"] = 2 * frame["x"] + 1
        self.mesh.train(
            "double",
            dataset=frame.head(400),
            target="y",
            recipe="ridge",
            features=["x"],
            quiet=True,
        )
        model = self.mesh.deploy("double")
        predicted = model.predict(frame)
        some = frame.iloc[::4_000]
        pd.testing.assert_frame_equal(predicted.loc[some.index], model.predict(some))
        self.assertTrue(predicted.iloc[:, 0].is_monotonic_increasing)

    def test_pushes_texts_as_texts_and_finds_equal_data_again(self) -> None:
        frame = pd.DataFrame({"zip": ["01234"] * 5 + ["99999"], "n": range(6)})
        dataset = self.mesh.push_dataset("addresses", frame)
        self.assertEqual(dataset.columns.loc["zip", "frequent"], "01234")
        self.assertEqual(dataset.rows, 6)
        self.assertEqual(self.mesh.push_dataset("addresses", frame).version, dataset.version)

    def test_pushes_a_model_and_runs_it_on_arrays(self) -> None:
        # y = x + 1, written by hand: ONNX's own package is not needed to push bytes.
        version = self.mesh.push("plus-one", _plus_one(), alias="default")
        self.assertEqual((version.state, version.inputs), ("READY", ("x FP32[-1,2]",)))
        model = self.mesh.deploy("plus-one")
        x = np.array([[1, 2], [3, 4.5]], np.float32)
        np.testing.assert_array_equal(model.infer(x=x)["y"], x + 1)
        self.assertEqual(model.at(version.number).predict(x)["y"].tolist(), [[2, 3], [4, 5.5]])

    def test_is_told_what_is_wrong_and_what_would_be_right(self) -> None:
        with self.assertRaises(aimass.AimassError) as caught:
            self.mesh.train("x", dataset=_pupils(), target="passsed", recipe="decision-tree", quiet=True)
        self.assertRegex(str(caught.exception), "passsed")
        with self.assertRaises(aimass.AimassError) as caught:
            self.mesh.model("nobody").predict({"x": 1})
        self.assertEqual(caught.exception.code, "not_found")
        with self.assertRaises(aimass.AimassError) as caught:
            self.mesh.push("broken", io.BytesIO(b"no model").getvalue())
        self.assertEqual(caught.exception.code, "invalid_argument")

    def test_without_a_right_is_refused(self) -> None:
        with self.assertRaises(aimass.AimassError) as caught:
            aimass.connect(self.mesh.server, "aimass_nobody_nothing").push_dataset("d", pd.DataFrame({"x": [1]}))
        self.assertEqual(caught.exception.code, "unauthenticated")


class SomebodyWhoNamesNoMesh(unittest.TestCase):
    def test_is_told_how_to_name_one(self) -> None:
        with self.assertRaisesRegex(aimass.AimassError, "AIMASS_SERVER"):
            aimass.connect("http://127.0.0.1:9", "key")._connection.__class__(
                "http://127.0.0.1:9", None, attempts=1
            ).unary("x/Y", {})
        with self.assertRaisesRegex(aimass.AimassError, "Write it like http://"):
            aimass.connect("localhost:5000")


def _field(number: int, payload: bytes | int) -> bytes:
    if isinstance(payload, int):
        return bytes([number << 3, payload])
    return bytes([number << 3 | 2, len(payload)]) + payload


def _plus_one() -> bytes:
    """An ONNX file (onnx.proto3): Add(x FP32[N, 2], 1) → y."""

    def tensor(name: bytes) -> bytes:
        shape = _field(1, _field(2, b"N")) + _field(1, _field(1, 2))
        return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))

    one = _field(2, 1) + _field(8, b"one") + _field(9, np.float32(1).tobytes())
    node = _field(1, b"x") + _field(1, b"one") + _field(2, b"y") + _field(4, b"Add")
    graph = _field(1, node) + _field(2, b"g") + _field(5, one) + _field(11, tensor(b"x")) + _field(12, tensor(b"y"))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))
