"""compare.py FOLDER CLASS ARGUMENTS: fits scikit-learn's CLASS, judges it and prints the same JSON as ours.ts."""

import importlib
import json
import resource
import sys
import time

import numpy as np
import scipy.sparse

folder, path, arguments = sys.argv[1:4]
with open(f"{folder}/data.json") as file:
    data = json.load(file)


def read(name, dtype):
    return np.fromfile(f"{folder}/{name}", dtype=dtype)


if data["kind"] == "text":
    columns, offsets = read("columns", "<u4").astype(np.int32), read("offsets", "<u4").astype(np.int32)
    x = scipy.sparse.csr_matrix((read("x", "<f4").astype(np.float64), columns, offsets), (data["rows"], data["cols"]))
else:
    x = read("x", "<f4").reshape(data["rows"], data["cols"]).astype(np.float64)
y = read("y", "<f8")
if data["classes"] > 0:
    y = y.astype(np.int64)
middle = data["rows"] * 4 // 5
train_x, test_x = x[:middle], x[middle:]
train_y, test_y = y[:middle], y[middle:]

module, name = path.rsplit(".", 1)
estimator = getattr(importlib.import_module(module), name)(**json.loads(arguments))
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
