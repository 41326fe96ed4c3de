"""Writes ONNX's backend tests, as the installed `onnx` package defines them, to a folder: CASE/model.onnx, CASE/test_data_set_N/*.pb.

Node tests are made by the package's own code; the kinds it ships as files are copied. Values are written as ONNX's own tools write them. A value that
is no tensor (sequence, map, optional) becomes a file named *.other, which the runner takes as not representable.
"""

import json
import os
import shutil
import sys
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

FILE_KINDS = ("simple", "pytorch-converted", "pytorch-operator")


def write_value(folder, role, index, value_info, value):
    path = os.path.join(folder, f"{role}_{index}")
    if not value_info.type.HasField("tensor_type"):
        open(path + ".other", "wb").close()
        return
    if not isinstance(value, onnx.TensorProto):
        value = numpy_helper.from_array(np.asarray(value), value_info.name)
    value.name = value_info.name
    with open(path + ".pb", "wb") as file:
        file.write(value.SerializeToString())


def write_case(case, target):
    folder = os.path.join(target, case.name)
    os.makedirs(folder)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(case.model.SerializeToString())
    with open(os.path.join(folder, "case.json"), "w") as file:
        json.dump({"rtol": case.rtol, "atol": case.atol}, file)
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = os.path.join(folder, f"test_data_set_{number}")
        os.makedirs(data)
        for role, values, infos in (
            ("input", inputs, case.model.graph.input),
            ("output", outputs, case.model.graph.output),
        ):
            for index, value in enumerate(values):
                write_value(data, role, index, infos[index], value)


def main(target):
    warnings.simplefilter("ignore")
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    problems = {}
    cases = loader.load_model_tests(kind="node")
    for case in cases:
        try:
            write_case(case, target)
        except Exception as error:  # a case the package itself cannot write is named, not hidden
            problems[case.name] = str(error)
            shutil.rmtree(os.path.join(target, case.name), ignore_errors=True)
    shipped = 0
    root = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
    for kind in FILE_KINDS:
        for name in sorted(os.listdir(os.path.join(root, kind))):
            source = os.path.join(root, kind, name)
            if os.path.exists(os.path.join(source, "model.onnx")):
                shutil.copytree(source, os.path.join(target, f"{kind}.{name}"))
                shipped += 1
    print(json.dumps({"onnx": onnx.__version__, "node": len(cases) - len(problems), "shipped": shipped, "problems": problems}))


if __name__ == "__main__":
    main(sys.argv[1])
