"""compare.py FOLDER CASE THREADS SEED: fits the counterpart of CASE (JSON as in cases.ts), judges it and prints the same JSON as ours.ts."""

import importlib
import json
import resource
import sys
import time

import numpy as np
import scipy.sparse

folder, case, threads, seed = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
with open(f"{folder}/data.json") as file:
    data = json.load(file)


def read(name, dtype):
    return np.fromfile(f"{folder}/{name}", dtype=dtype)


def texts():
    with open(f"{folder}/x", encoding="utf-8", newline="\n") as file:
        return file.read().split("\n")


def bags():
    columns, offsets = read("columns", "<u4").astype(np.int32), read("offsets", "<u4").astype(np.int32)
    return scipy.sparse.csr_matrix((read("x", "<f4").astype(np.float64), columns, offsets), (data["rows"], data["cols"]))


def table():
    return read("x", "<f4").reshape(data["rows"], data["cols"]).astype(np.float64)


def made():
    module, name = case["counterpart"].rsplit(".", 1)
    estimator = getattr(importlib.import_module(module), name)(**case["arguments"])
    if "n_jobs" in case["arguments"]:
        estimator.set_params(n_jobs=threads)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=seed)
    if "features" not in case:
        return estimator
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in case["features"]["theirs"].items()}
    return make_pipeline(TfidfVectorizer(**settings), estimator)


x = {"texts": texts, "bags": bags, "table": table}[data["kind"]]()
y = read("y", "<f8")
if data["classes"] > 0:
    y = y.astype(np.int64)
middle = data["rows"] * 4 // 5
train_x, test_x = x[:middle], x[middle:]
train_y, test_y = y[:middle], y[middle:]

estimator = made()
started, cpu = time.perf_counter(), time.process_time()
estimator.fit(train_x, train_y)
seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
started = time.perf_counter()
score = estimator.score(test_x, test_y)
predict_seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(
    json.dumps(
        {
            "score": score,
            "seconds": seconds,
            "cpuSeconds": cpu_seconds,
            "predictSeconds": predict_seconds,
            "peakMiB": peak,
        }
    )
)
