#!/usr/bin/env bash
# skl2onnx 1.20.0 with scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0, Python 3.11.
#
# Guess: a step of a scikit-learn pipeline that `to_onnx` takes without an error or a warning computes the same in ONNX Runtime.
# Seen, each exported in silence:
#   Normalizer(norm="max")            divides by the largest value instead of the largest absolute value
#   SimpleImputer(add_indicator=True) the indicator columns are gone: three columns in, three out instead of four
#   PowerTransformer                  NaN becomes a number where scikit-learn keeps it
#   KNeighborsRegressor(weights="distance")  a row that equals a training row is averaged with its neighbours; scikit-learn answers that row's target
# So: compare an exported pipeline with the original on rows with gaps, negative numbers, and rows it was trained on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.32.0 "protobuf<7"
cat > "$folder/steps.py" <<'PY'
import sys, warnings
import numpy as np, onnxruntime
from skl2onnx import to_onnx
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import Normalizer, PowerTransformer

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)
random = np.random.default_rng(0)
rows = random.normal(size=(300, 3)).astype(np.float32)
gaps = rows.copy()
gaps[::7, 0] = np.nan

def both(step, trained, method="transform", target=None):
    step.fit(trained, target)
    session = onnxruntime.InferenceSession(to_onnx(step, trained[:1]).SerializeToString())
    return np.asarray(getattr(step, method)(trained)), session.run(None, {session.get_inputs()[0].name: trained})[0]

want, got = both(Normalizer(norm="max"), rows)
largest = np.allclose(got, rows / rows.max(axis=1, keepdims=True), rtol=1e-4) and not np.allclose(got, want, atol=0.1)
print("Normalizer max: divided by the largest value, sign included:", largest)
want, got = both(SimpleImputer(add_indicator=True), gaps)
indicator = want.shape == (300, 4) and got.shape == (300, 3)
print("SimpleImputer with indicator: columns", want.shape[1], "here,", got.shape[1], "exported")
want, got = both(PowerTransformer(), gaps)
lost = int(np.isnan(want).sum()), int(np.isnan(got).sum())
print("PowerTransformer: NaN", lost[0], "here,", lost[1], "exported")
want, got = both(KNeighborsRegressor(3, weights="distance"), rows, "predict", rows[:, 0] * 2 + rows[:, 1])
far = float(np.abs(want - got.ravel()).max())
print(f"KNeighborsRegressor by distance, on its training rows: largest difference {far:.2f}")
sys.exit(0 if largest and indicator and lost[0] > 0 and lost[1] == 0 and far > 0.5 else 1)
PY
"$folder/venv/bin/python" "$folder/steps.py"
