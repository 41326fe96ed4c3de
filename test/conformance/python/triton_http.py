"""tritonclient over HTTP against a running mesh: argv is host:port and an API key."""

import asyncio
import json
import sys

import ml_dtypes
import numpy as np
import requests
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from report import Report, expect, expect_error
from tritonclient.utils import InferenceServerException

address, key = sys.argv[1:3]
# The client writes its own headers into the dictionary it is given: each call gets a copy.
auth = {"authorization": f"Bearer {key}"}
client = triton.InferenceServerClient(address, concurrency=8)
report = Report("tritonclient HTTP")

NUMBERS = {
    "BOOL": np.array([True, False]),
    "UINT8": np.array([0, 255], dtype=np.uint8),
    "UINT16": np.array([0, 65535], dtype=np.uint16),
    "UINT32": np.array([0, 2**32 - 1], dtype=np.uint32),
    "UINT64": np.array([0, 2**64 - 1], dtype=np.uint64),
    "INT8": np.array([-128, 127], dtype=np.int8),
    "INT16": np.array([-(2**15), 2**15 - 1], dtype=np.int16),
    "INT32": np.array([-(2**31), 2**31 - 1], dtype=np.int32),
    "INT64": np.array([-(2**63), 2**63 - 1], dtype=np.int64),
    "FP16": np.array([1.5, -0.25], dtype=np.float16),
    "FP32": np.array([1.5, -0.1], dtype=np.float32),
    "FP64": np.array([1.5, 1e300], dtype=np.float64),
}
TEXTS = np.array(["hello", "", "ü€😀"], dtype=np.object_)


def tensor(value, name="x", datatype="FP32", binary=True):
    made = triton.InferInput(name, list(value.shape), datatype)
    made.set_data_from_numpy(value, binary_data=binary)
    return made


def tiny(batch=1, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, 4)).astype(np.float32)


def infer(model, inputs, **more):
    return client.infer(model, inputs, headers=dict(auth), **more)


def asked(name, **more):
    return [triton.InferRequestedOutput(name, **more)]


def same(got, wanted):
    np.testing.assert_array_equal(got, wanted)


def information():
    expect(client.is_server_live(headers=dict(auth)) and client.is_server_ready(headers=dict(auth)), "not live or not ready")
    expect(client.is_model_ready("tiny", headers=dict(auth)), "tiny is not ready")
    expect(not client.is_model_ready("no-such-model", headers=dict(auth)), "a model that is not there is ready")
    expect("classification" in client.get_server_metadata(headers=dict(auth))["extensions"], "extensions")
    expect(client.get_model_metadata("tiny", headers=dict(auth))["inputs"][0]["shape"] == [-1, 4], "metadata")
    expect(client.get_model_config("tiny", headers=dict(auth))["max_batch_size"] > 1, "config")
    expect("tiny" in [model["name"] for model in client.get_model_repository_index(headers=dict(auth))], "index")


def statistics():
    infer("tiny", [tensor(tiny())])
    stats = client.get_inference_statistics("tiny", headers=dict(auth))["model_stats"][0]
    expect(isinstance(stats["version"], str), "the version is no string")
    for name in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"):
        duration = stats["inference_stats"][name]
        expect("count" in duration and "ns" in duration, f"{name} is {duration}")


def binary_numbers():
    for datatype, value in NUMBERS.items():
        same(infer(f"echo-{datatype.lower()}", [tensor(value, datatype=datatype)]).as_numpy("y"), value)
    value = np.array([1.5, -2.25], dtype=ml_dtypes.bfloat16)
    same(infer("echo-bf16", [tensor(value, datatype="BF16")]).as_numpy("y"), value)
    return f"{', '.join(NUMBERS)}, BF16"


def json_numbers():
    for datatype, value in NUMBERS.items():
        if datatype == "FP16":
            continue
        answer = infer(
            f"echo-{datatype.lower()}",
            [tensor(value, datatype=datatype, binary=False)],
            outputs=asked("y", binary_data=False),
        )
        same(answer.as_numpy("y"), value)
    return "64-bit integers exact"


def texts():
    for binary in (True, False):
        inputs = [tensor(TEXTS, datatype="BYTES", binary=binary)]
        got = infer("echo-bytes", inputs, outputs=asked("y", binary_data=binary)).as_numpy("y")
        same([element.decode() if isinstance(element, bytes) else element for element in got], list(TEXTS))


def mixed():
    inputs = [tensor(np.ones((1, 2), np.float32), "a"), tensor(np.ones((1, 3), np.float32), "b", binary=False)]
    outputs = asked("joined", binary_data=False) + asked("total", binary_data=True)
    answer = infer("multi", inputs, outputs=outputs, request_id="q-1")
    same(answer.as_numpy("total"), [[5]])
    same(answer.as_numpy("joined"), np.ones((1, 5)))
    expect(answer.get_response()["id"] == "q-1", "the id is lost")


def classification():
    value = np.array([[1, 3, 2]], dtype=np.float32)
    for binary in (True, False):
        answer = infer("softmax", [tensor(value)], outputs=asked("scores", class_count=2, binary_data=binary))
        rows = answer.as_numpy("scores")
        classes = [(e.decode() if isinstance(e, bytes) else e).split(":")[1] for e in rows[0]]
        same(classes, ["1", "2"])


def parallel():
    calls = [client.async_infer("tiny", [tensor(tiny(seed=seed))], headers=dict(auth)) for seed in range(40)]
    for call in calls:
        expect(call.get_result().as_numpy("y").shape == (1, 4), "a wrong shape")


def compression():
    value = np.zeros((512, 4), dtype=np.float32)
    for algorithm in ("gzip", "deflate"):
        answer = infer(
            "tiny",
            [tensor(value)],
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
        expect(answer.as_numpy("y").shape == (512, 4), algorithm)


def large():
    value = np.random.default_rng(1).normal(size=(4_000_000,)).astype(np.float32)
    same(infer("echo-fp32", [tensor(value)]).as_numpy("y"), value)
    return "16 MB there and back"


def whole_body():
    url = f"http://{address}/v2/models/echo-fp32/infer"
    value = np.array([1, 2, 3], dtype=np.float32)
    headers = {**auth, "Inference-Header-Content-Length": "0", "content-type": "application/octet-stream"}
    answer = requests.post(url, data=value.tobytes(), headers=headers, timeout=10)
    expect(answer.status_code == 200, f"{answer.status_code}: {answer.text[:200]}")
    length = int(answer.headers["inference-header-content-length"])
    same(np.frombuffer(answer.content[length:], np.float32), value)


def refusals():
    unknown = InferenceServerException
    expect_error(unknown, lambda: infer("tiny", [tensor(np.zeros((1, 5), np.float32))]), "400", "x")
    expect_error(unknown, lambda: infer("no-such-model", [tensor(tiny())]), "404")
    bad = {"authorization": "Bearer aim_nobody_nothing"}
    expect_error(unknown, lambda: client.infer("tiny", [tensor(tiny())], headers=bad), "401")
    url = f"http://{address}/v2/models/tiny/infer"
    for body in (b"", b"{", b"[]", b'{"inputs": 3}', b"\xff\xfe", b'{"inputs": [{"name": "x"}]}'):
        answer = requests.post(url, data=body, headers={**auth, "content-type": "application/json"}, timeout=10)
        expect(answer.status_code == 400, f"{body!r} was answered {answer.status_code}")
        expect("error" in answer.json(), f"{body!r} was answered without a reason")


def asyncio_client():
    async def run():
        async with triton_aio.InferenceServerClient(address) as aio:
            calls = [aio.infer("tiny", [tensor(tiny(seed=seed))], headers=dict(auth)) for seed in range(20)]
            answers = await asyncio.gather(*calls)
            expect(all(answer.as_numpy("y").shape == (1, 4) for answer in answers), "a wrong shape")

    asyncio.run(run())


def rest_ready():
    answer = requests.get(f"http://{address}/v2/models/tiny/ready", headers=dict(auth), timeout=10)
    expect(answer.status_code == 200, str(answer.status_code))
    live = requests.get(f"http://{address}/v2/health/live", timeout=10)
    expect(live.status_code == 200, str(live.status_code))
    listed = requests.get(f"http://{address}/v2", headers=dict(auth), timeout=10).json()
    expect("extensions" in listed, json.dumps(listed))


report.check("health, metadata, configuration, index", information)
report.check("statistics hold every duration", statistics)
report.check("binary tensors of every type", binary_numbers)
report.check("JSON tensors of every type", json_numbers)
report.check("BYTES, binary and JSON", texts)
report.check("binary and JSON mixed", mixed)
report.check("classification", classification)
report.check("asynchronous inference", parallel)
report.check("gzip and deflate both ways", compression)
report.check("large tensors", large)
report.check("a body that is the one tensor", whole_body)
report.check("refusals name what is wrong", refusals)
report.check("asyncio client", asyncio_client)
report.check("plain GETs", rest_ready)
