#!/usr/bin/env bash
# onnxruntime 1.32.0 (the newest on 2026-11-30; 1.30.0 likewise) and onnx 1.23.2, Python 3.11.
#
# Guess: a session keeps nothing of what it is asked: initializers are constants, and the same input has the same answer.
# Seen: BatchNormalization with training_mode=1, as a network has it that was exported while it was in training mode, whose running mean and variance are outputs that
# nobody reads: the runtime writes them over the initializers. The same x answers otherwise each time, and what one caller sent changes the next one's answer.
# With the same two as outputs of the graph nothing is kept.
# So: export in eval mode; whoever serves strangers' models runs one input twice with another in between before trusting them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.3.5
cat > state.py <<'PY'
import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper


def session(*shown: str) -> ort.InferenceSession:
    node = helper.make_node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y", "rm", "rv"], training_mode=1)
    number = TensorProto.FLOAT
    constants = {"s": 1, "b": 0, "m": 0, "v": 1}
    graph = helper.make_graph(
        [node, helper.make_node("Sub", ["y", "m"], ["z"])],
        "g",
        [helper.make_tensor_value_info("x", number, ["n", 4])],
        [helper.make_tensor_value_info(name, number, None) for name in ("z", *shown)],
        [numpy_helper.from_array(np.full(4, value, np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=10)
    return ort.InferenceSession(model.SerializeToString())


def answers(one: ort.InferenceSession) -> list[float]:
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    return [round(float(one.run(["z"], {"x": x})[0][0, 0]), 4) for _ in range(3)]


hidden, shown = answers(session()), answers(session("rm", "rv"))
print("running outputs that nobody reads:", hidden, "as outputs of the graph:", shown)
assert len(set(hidden)) == 3, hidden
assert len(set(shown)) == 1, shown
PY
venv/bin/python state.py
