#!/usr/bin/env bash
# catboost 1.2.10, onnx 1.23.2, onnxruntime 1.32.0, Python 3.11.
#
# Guess: what `save_model(format="onnx")` writes without a complaint can be loaded, and declares the shape that comes out.
# Seen: of a CatBoostRegressor with two targets (loss MultiRMSE) it writes a file with 0 targets, which ONNX Runtime refuses when it loads it. Of one
# target it declares `predictions ['N']` and gives [N, 1], with a warning in the log.
# So: judge a model by what a run gives, not by what it declares; of several targets export one model each.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check catboost==1.2.10 onnx==1.23.2 onnxruntime==1.32.0
cat > "$folder/targets.py" <<'PY'
import os, sys
import numpy as np, onnx, onnxruntime
from catboost import CatBoostRegressor

os.chdir(sys.argv[1])
onnxruntime.set_default_logger_severity(4)
random = np.random.default_rng(0)
rows = random.normal(size=(60, 3)).astype(np.float32)

def answer(target, name, **options):
    model = CatBoostRegressor(iterations=5, verbose=0, allow_writing_files=False, **options).fit(rows, target)
    model.save_model(name, format="onnx")
    declared = [dim.dim_param or dim.dim_value for dim in onnx.load(name).graph.output[0].type.tensor_type.shape.dim]
    try: return declared, list(onnxruntime.InferenceSession(name).run(None, {"features": rows[:4]})[0].shape)
    except Exception as error: return declared, "n_targets_or_classes" in str(error) and "refused: no targets"

one = answer(rows[:, 0], "one.onnx")
two = answer(rows[:, :2], "two.onnx", loss_function="MultiRMSE")
print("one target: declared, given", *one)
print("two targets: declared, given", *two)
sys.exit(0 if one == (["N"], [4, 1]) and two[1] == "refused: no targets" else 1)
PY
"$folder/venv/bin/python" "$folder/targets.py" "$folder"
