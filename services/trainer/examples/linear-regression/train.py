"""Fits a line to the training part and leaves it as ONNX."""

import json
import os

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LinearRegression

with open(os.environ["AIMASS_SPEC_FILE"]) as file:
    spec = json.load(file)
[feature] = spec["features"]

# The columns are the features in their order, then the target.
rows = np.loadtxt(os.environ["AIMASS_TRAIN_FILE"], delimiter=",", skiprows=1)
x, y = rows[:, :-1], rows[:, -1]
model = LinearRegression().fit(x, y)
print(f"{spec['target']} = {model.coef_[0]:.4f} * {feature} + {model.intercept_:.4f}")

with open(os.environ["AIMASS_METRICS_FILE"], "a") as file:
    residuals = y - model.predict(x)
    file.write(json.dumps({"step": 1, "loss": float(np.mean(residuals**2))}) + "\n")

onnx = to_onnx(model, initial_types=[(feature, FloatTensorType([None, 1]))])
with open(os.path.join(os.environ["AIMASS_OUTPUT_DIR"], "model.onnx"), "wb") as file:
    file.write(onnx.SerializeToString())
