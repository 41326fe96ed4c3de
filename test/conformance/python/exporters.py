"""Models as exporters write them by default, each with rows and what Python's onnxruntime answers for them.

python exporters.py FOLDER: a folder for each case with model.onnx, case.json and test_data_set_<n>: all rows at once, then single rows.
"""

import json
import sys
import warnings
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import onnx
import onnxruntime
import pandas
import xgboost
from onnx import helper, numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloats
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (ExtraTreesClassifier, GradientBoostingClassifier, RandomForestClassifier,
                              StackingClassifier, VotingClassifier)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
FOLDER = Path(sys.argv[1])
SINGLE_ROWS = 12
X, Y = make_classification(240, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=1)
X = X.astype(np.float32)
NAMES = np.array(["nein", "vielleicht", "weiß nicht"])[Y]
BINARY = (Y > 0).astype(np.int64)
TEXTS = np.array(["Der Apfel ist ROT", "Die Straße in ÉCOLE", "grün und blau", "rot wie ein apfel", "blau, BLAU, blau", "die schule"] * 4)


def write(name, model, inputs, rtol=1e-4, atol=1e-5):
    folder = FOLDER / name
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = len(next(iter(inputs.values())))
    labels = {}
    names = []
    for index, chosen in enumerate([range(rows), *([row] for row in range(min(rows, SINGLE_ROWS)))]):
        feeds = {key: values[list(chosen)] for key, values in inputs.items()}
        served = [part for output, value in zip(model.graph.output, session.run(None, feeds))
                  for part in tensors(model, output, value, labels)]
        names = [key for key, _ in served]
        data = folder / f"test_data_set_{index}"
        data.mkdir()
        for kind, values in (("input", [feeds[i.name] for i in model.graph.input]), ("output", [v for _, v in served])):
            for at, value in enumerate(values):
                (data / f"{kind}_{at}.pb").write_bytes(numpy_helper.from_array(plain(value)).SerializeToString())
    (folder / "case.json").write_text(json.dumps({"rtol": rtol, "atol": atol, "outputs": names, "labels": labels}))


def tensors(model, output, value, labels):
    """What is to be served of an output: maps as the tensor of their values, sequences as one tensor an element."""
    if not isinstance(value, list):
        return [(output.name, value)]
    if not isinstance(value[0], dict):
        return [(f"{output.name}_{at}", element) for at, element in enumerate(value)]
    maker = next(node for node in model.graph.node if output.name in node.output)
    keys = [key.decode() if isinstance(key, bytes) else key for key in helper.get_attribute_value(
        next(a for a in maker.attribute if a.name.startswith("classlabels")))]
    labels[output.name] = [str(key) for key in keys]
    return [(output.name, np.array([[row[key] for key in keys] for row in value], np.float32))]


def plain(value):
    return np.array(value, object) if value.dtype.kind in "US" else np.ascontiguousarray(value)


def skl(name, estimator, target=Y, **options):
    write(name, to_onnx(estimator.fit(X, target), X[:1], **options), {"X": X[:64]})


def text(name, vectoriser, width):
    """Python's onnxruntime may lack the locale that the exporter leaves open: it answers with C.UTF-8."""
    pipeline = make_pipeline(vectoriser, LogisticRegression()).fit(TEXTS, np.arange(len(TEXTS)) % 3)
    types = [("text", StringTensorType([None, *width]))]
    exported = to_onnx(pipeline, initial_types=types)
    rows = TEXTS.astype(object).reshape(-1, *width)
    readable = onnx.ModelProto.FromString(exported.SerializeToString())
    for node in readable.graph.node:
        if node.op_type == "StringNormalizer" and not any(a.name == "locale" for a in node.attribute):
            node.attribute.append(helper.make_attribute("locale", "C.UTF-8"))
    write(name, readable, {"text": rows})
    onnx.save(exported, FOLDER / name / "model.onnx")


def cat(name, estimator, target):
    estimator.fit(X, target)
    path = FOLDER / "catboost.tmp"
    estimator.save_model(str(path), format="onnx")
    model = onnx.load(path)
    path.unlink()
    write(name, model, {"features": X[:64]})


def main():
    FOLDER.mkdir(parents=True)
    skl("skl-logistic", LogisticRegression())
    skl("skl-logistic-texts", LogisticRegression(), NAMES)
    skl("skl-logistic-binary", LogisticRegression(), BINARY)
    skl("skl-logistic-tensor", LogisticRegression(), options={"zipmap": False})
    skl("skl-logistic-columns", LogisticRegression(), options={"zipmap": "columns"})
    skl("skl-scaled-forest", make_pipeline(StandardScaler(), RandomForestClassifier(10)), NAMES)
    skl("skl-extra-trees", ExtraTreesClassifier(10))
    skl("skl-tree", DecisionTreeClassifier(max_depth=4))
    skl("skl-boosting", GradientBoostingClassifier(n_estimators=10))
    skl("skl-svc", SVC(probability=True))
    skl("skl-svc-scores", SVC())
    skl("skl-sgd", SGDClassifier(loss="log_loss"))
    skl("skl-neighbours", KNeighborsClassifier())
    skl("skl-bayes", GaussianNB())
    skl("skl-lda", LinearDiscriminantAnalysis())
    skl("skl-qda", QuadraticDiscriminantAnalysis())
    skl("skl-mlp", MLPClassifier((8,), max_iter=50))
    skl("skl-calibrated", CalibratedClassifierCV(LogisticRegression()))
    skl("skl-voting", VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft", flatten_transform=False))
    skl("skl-stacking", StackingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))]))
    skl("skl-multi-output", MultiOutputClassifier(LogisticRegression()), np.stack([Y, BINARY], 1))
    skl("skl-multi-output-forest", MultiOutputClassifier(RandomForestClassifier(5)), np.stack([Y, BINARY], 1))
    skl("skl-ridge", Ridge(), X[:, 0])
    text("skl-tfidf", TfidfVectorizer(), [])
    text("skl-tfidf-pairs", TfidfVectorizer(ngram_range=(1, 2)), [1])
    text("skl-counts", CountVectorizer(), [])
    city = np.array(["Bern", "Genf", "Zug"] * 80, object).reshape(-1, 1)
    frame = pandas.DataFrame({"age": X[:, 0], "height": X[:, 1], "city": city[:, 0]})
    table = make_pipeline(
        ColumnTransformer([("n", StandardScaler(), ["age", "height"]), ("c", OneHotEncoder(), ["city"])]), LogisticRegression())
    types = [("age", FloatTensorType([None, 1])), ("height", FloatTensorType([None, 1])), ("city", StringTensorType([None, 1]))]
    write("skl-table", to_onnx(table.fit(frame, NAMES), initial_types=types),
          {"age": X[:64, :1], "height": X[:64, 1:2], "city": city[:64]})
    tools = [("x", ToolsFloats([None, 6]))]
    for name, target in (("numbers", Y), ("texts", NAMES), ("binary", BINARY)):
        if name != "texts":
            forest = xgboost.XGBClassifier(n_estimators=8).fit(X, target)
            write(f"xgboost-{name}", convert_xgboost(forest, initial_types=tools), {"x": X[:64]})
        leaves = lightgbm.LGBMClassifier(n_estimators=8, verbose=-1).fit(X, target)
        write(f"lightgbm-{name}", convert_lightgbm(leaves, initial_types=tools), {"x": X[:64]})
        cat(f"catboost-{name}", catboost.CatBoostClassifier(iterations=8, verbose=0, allow_writing_files=False), target)
    cat("catboost-regressor", catboost.CatBoostRegressor(iterations=8, verbose=0, allow_writing_files=False), X[:, 0])
    newest = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "newest",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 6])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 6])])
    write("onnx-defaults", helper.make_model(newest), {"x": X[:64]})


main()
