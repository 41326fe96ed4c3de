#!/usr/bin/env bash
# skl2onnx 1.20.0, scikit-learn 1.9.1, onnx 1.23.2, Python 3.11; protobuf 7.36.2 beside protobuf 6.33.6.
#
# Guess: which protobuf pip brings along does not matter to an exporter.
# Seen: onnx 1.23.2 takes both. With protobuf 7 `to_onnx` of a HistGradientBoostingClassifier raises ValueError, caused by "Expected an int, got a boolean":
# the exporter writes Python booleans into an integer attribute, which protobuf 6 converted and 7 refuses. With 6.33.6 the same lines export, and the
# answers agree, gaps included.
# So: `pip install "protobuf<7"` beside skl2onnx 1.20.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.32.0 protobuf==7.36.2
cat > "$folder/export.py" <<'PY'
import warnings
import numpy as np, onnxruntime
from skl2onnx import to_onnx
from sklearn.ensemble import HistGradientBoostingClassifier

warnings.filterwarnings("ignore")
random = np.random.default_rng(0)
rows = random.normal(size=(300, 3)).astype(np.float32)
kind = (rows[:, 0] > 0).astype(int)
rows[::3, 0] = np.nan
estimator = HistGradientBoostingClassifier(max_iter=5).fit(rows, kind)
try:
    model = to_onnx(estimator, rows[:1], options={"zipmap": False})
    answer = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"X": rows})[1]
    print("exported, equal" if np.abs(answer - estimator.predict_proba(rows)).max() < 1e-5 else "exported, different")
except ValueError as error:
    print(type(error.__cause__).__name__, "boolean" if "boolean" in str(error.__cause__) else str(error.__cause__))
PY
with_7=$("$folder/venv/bin/python" "$folder/export.py" 2>/dev/null)
"${pip[@]}" protobuf==6.33.6
with_6=$("$folder/venv/bin/python" "$folder/export.py" 2>/dev/null)
echo "protobuf 7.36.2: $with_7"
echo "protobuf 6.33.6: $with_6"
[ "$with_7" = "TypeError boolean" ] && [ "$with_6" = "exported, equal" ]
