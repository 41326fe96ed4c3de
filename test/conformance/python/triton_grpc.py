"""tritonclient over gRPC against a running mesh: argv is host:port and an API key."""

import asyncio
import queue
import sys
import threading

import ml_dtypes
import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from report import Report, expect, expect_error
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

address, key = sys.argv[1:3]
auth = {"authorization": f"Bearer {key}"}
client = triton.InferenceServerClient(address)
report = Report("tritonclient gRPC")

NUMBERS = {
    "BOOL": np.array([True, False, True]),
    "UINT8": np.array([0, 255, 7], dtype=np.uint8),
    "UINT16": np.array([0, 65535, 7], dtype=np.uint16),
    "UINT32": np.array([0, 2**32 - 1, 7], dtype=np.uint32),
    "UINT64": np.array([0, 2**64 - 1, 7], dtype=np.uint64),
    "INT8": np.array([-128, 127, 7], dtype=np.int8),
    "INT16": np.array([-(2**15), 2**15 - 1, 7], dtype=np.int16),
    "INT32": np.array([-(2**31), 2**31 - 1, 7], dtype=np.int32),
    "INT64": np.array([-(2**63), 2**63 - 1, 7], dtype=np.int64),
    "FP16": np.array([1.5, -0.25, 65504], dtype=np.float16),
    "FP32": np.array([1.5, np.nan, -np.inf], dtype=np.float32),
    "FP64": np.array([1.5, np.nan, 1e300], dtype=np.float64),
}
TEXTS = np.array(["hello", "", "ü€😀", "two words"], dtype=np.object_)


def tensor(value, name="x", datatype="FP32"):
    made = triton.InferInput(name, list(value.shape), datatype)
    made.set_data_from_numpy(value)
    return made


def tiny(batch, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, 4)).astype(np.float32)


def infer(model, inputs, **more):
    return client.infer(model, inputs, headers=auth, **more)


def same(got, wanted):
    np.testing.assert_array_equal(got, wanted)


def health():
    expect(client.is_server_live(headers=auth), "not live")
    expect(client.is_server_ready(headers=auth), "not ready")
    expect(client.is_model_ready("tiny", headers=auth), "tiny is not ready")
    expect(not client.is_model_ready("no-such-model", headers=auth), "a model that is not there is ready")


def server_metadata():
    metadata = client.get_server_metadata(headers=auth)
    for extension in ("binary_tensor_data", "classification", "model_configuration", "statistics"):
        expect(extension in metadata.extensions, f"extensions lack {extension}")
    for absent in ("system_shared_memory", "cuda_shared_memory"):
        expect(absent not in metadata.extensions, f"{absent} is listed but not offered")
    return f"{metadata.name} {metadata.version}: {', '.join(metadata.extensions)}"


def model_metadata():
    metadata = client.get_model_metadata("tiny", headers=auth)
    expect(list(metadata.inputs[0].shape) == [-1, 4], f"shape is {metadata.inputs[0].shape}")
    expect(metadata.inputs[0].datatype == "FP32", metadata.inputs[0].datatype)
    expect("1" in metadata.versions, f"versions are {metadata.versions}")


def model_config():
    config = client.get_model_config("tiny", headers=auth).config
    expect(config.max_batch_size > 1, f"max_batch_size is {config.max_batch_size}")
    expect(list(config.input[0].dims) == [4], f"dims are {config.input[0].dims}")
    expect(config.input[0].data_type == 11, "data_type is not TYPE_FP32")


def repository_index():
    names = [model.name for model in client.get_model_repository_index(headers=auth).models]
    expect("tiny" in names, f"the index is {names}")


def sync():
    value = tiny(3)
    answer = infer("tiny", [tensor(value)], request_id="r-1")
    response = answer.get_response()
    expect(response.id == "r-1", f"id is {response.id!r}")
    expect(response.model_version == "1", f"version is {response.model_version!r}")
    single = np.concatenate([infer("tiny", [tensor(value[i : i + 1])]).as_numpy("y") for i in range(3)])
    np.testing.assert_allclose(answer.as_numpy("y"), single, rtol=1e-5)


def every_number():
    for datatype, value in NUMBERS.items():
        same(infer(f"echo-{datatype.lower()}", [tensor(value, datatype=datatype)]).as_numpy("y"), value)
    return ", ".join(NUMBERS)


def bfloat16():
    value = np.array([1.5, -2.25, 3e38], dtype=ml_dtypes.bfloat16)
    same(infer("echo-bf16", [tensor(value, datatype="BF16")]).as_numpy("y"), value)


def texts():
    got = infer("echo-bytes", [tensor(TEXTS, datatype="BYTES")]).as_numpy("y")
    same([element.decode() for element in got], list(TEXTS))
    words = infer("text", [tensor(TEXTS, "text", "BYTES")])
    same(words.as_numpy("words"), [1, 0, 1, 2])


def not_texts():
    for element in (b"\xff\xfe", b"nothing\x00after"):
        value = np.array([b"good", element], dtype=np.object_)
        call = lambda: infer("echo-bytes", [tensor(value, datatype="BYTES")])
        expect_error(InferenceServerException, call, "INVALID_ARGUMENT", "x")


def shapes():
    same(infer("echo-scalar", [tensor(np.array(7, dtype=np.float32))]).as_numpy("y"), np.float32(7))
    empty = np.zeros((0, 4), dtype=np.float32)
    got = infer("tiny", [tensor(empty)]).as_numpy("y")
    expect(got.shape == (0, 4), f"shape is {got.shape}")


def versions():
    value = tensor(tiny(1))
    expect(infer("tiny", [value], model_version="1").get_response().model_version == "1", "version 1")
    expect(infer("tiny", [value], model_version="default").get_response().model_version == "1", "alias default")
    expect(infer("default.tiny", [value]).get_response().model_version == "1", "project.model")


def outputs():
    joined = infer(
        "multi",
        [tensor(np.ones((1, 2), np.float32), "a"), tensor(np.ones((1, 3), np.float32), "b")],
        outputs=[triton.InferRequestedOutput("total")],
    )
    same(joined.as_numpy("total"), [[5]])
    expect(joined.as_numpy("joined") is None, "an output came that was not asked for")


def classification():
    value = np.array([[1, 3, 2], [9, 1, 5]], dtype=np.float32)
    answer = infer("softmax", [tensor(value)], outputs=[triton.InferRequestedOutput("scores", class_count=2)])
    classes = [[entry.decode().split(":")[1] for entry in row] for row in answer.as_numpy("scores")]
    same(classes, [["1", "2"], ["0", "2"]])


def callbacks():
    done = queue.Queue()
    values = [tiny(1, seed) for seed in range(40)]
    for value in values:
        client.async_infer(
            "tiny", [tensor(value)], callback=lambda result, error: done.put((result, error)), headers=auth
        )
    results = [done.get(timeout=10) for _ in values]
    failed = [error for _, error in results if error is not None]
    expect(not failed, f"{len(failed)} of {len(values)} failed: {failed[:1]}")


def cancelling():
    done = queue.Queue()
    slow = tensor(np.array([20000], dtype=np.int64), "iterations", "INT64")
    call = client.async_infer("slow", [slow], callback=lambda result, error: done.put(error), headers=auth)
    threading.Event().wait(0.2)
    call.cancel()
    error = done.get(timeout=5)
    expect(error is not None and "CANCELLED" in str(error), f"the callback got {error}")


def deadlines():
    slow = tensor(np.array([20000], dtype=np.int64), "iterations", "INT64")
    return expect_error(
        InferenceServerException, lambda: infer("slow", [slow], client_timeout=0.3), "DEADLINE_EXCEEDED"
    )


def streaming():
    done = queue.Queue()
    streaming_client = triton.InferenceServerClient(address)
    streaming_client.start_stream(callback=lambda result, error: done.put((result, error)), headers=auth)
    for i in range(10):
        model = "no-such-model" if i == 4 else "tiny"
        streaming_client.async_stream_infer(model, [tensor(tiny(1, i))], request_id=str(i))
    answers = [done.get(timeout=10) for _ in range(10)]
    streaming_client.stop_stream()
    good = {result.get_response().id for result, error in answers if error is None}
    bad = [error for _, error in answers if error is not None]
    expect(good == {str(i) for i in range(10)} - {"4"}, f"answers were {sorted(good)}")
    expect(len(bad) == 1, f"{len(bad)} errors came in-band")
    return str(bad[0])


def compression():
    value = np.zeros((64, 4), dtype=np.float32)
    for algorithm in ("gzip", "deflate"):
        got = infer("tiny", [tensor(value)], compression_algorithm=algorithm).as_numpy("y")
        expect(got.shape == (64, 4), f"{algorithm}: {got.shape}")


def large():
    value = np.random.default_rng(1).normal(size=(4_000_000,)).astype(np.float32)
    same(infer("echo-fp32", [tensor(value)]).as_numpy("y"), value)
    return "16 MB there and back"


def request_parameters():
    answer = infer("tiny", [tensor(tiny(1))], priority=1, timeout=5_000_000, parameters={"note": "kept", "n": 3})
    expect(answer.as_numpy("y").shape == (1, 4), "no answer")


def typed_contents():
    stub = service_pb2_grpc.GRPCInferenceServiceStub(client._channel)
    request = service_pb2.ModelInferRequest(model_name="tiny")
    entry = request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    entry.contents.fp32_contents.extend([1, 2, 3, 4])
    answer = stub.ModelInfer(request, metadata=tuple(auth.items()))
    wanted = infer("tiny", [tensor(np.array([[1, 2, 3, 4]], np.float32))]).as_numpy("y")
    same(np.frombuffer(answer.raw_output_contents[0], np.float32), wanted[0])


def statistics():
    before = client.get_inference_statistics("multi", headers=auth).model_stats[0].inference_count
    inputs = [tensor(np.ones((4, 2), np.float32), "a"), tensor(np.ones((4, 3), np.float32), "b")]
    infer("multi", inputs)
    stats = client.get_inference_statistics("multi", headers=auth).model_stats[0]
    expect(stats.inference_count == before + 4, f"{before} became {stats.inference_count}")
    expect(stats.inference_stats.success.count > 0, "no success is counted")


def refusals():
    wrong_shape = tensor(np.zeros((1, 5), np.float32))
    wrong_type = tensor(np.zeros((1, 4), np.float64), datatype="FP64")
    wrong_name = tensor(tiny(1), "z")
    unknown = InferenceServerException
    expect_error(unknown, lambda: infer("tiny", [wrong_shape]), "INVALID_ARGUMENT", "x")
    expect_error(unknown, lambda: infer("tiny", [wrong_type]), "INVALID_ARGUMENT", "FP64")
    expect_error(unknown, lambda: infer("tiny", [wrong_name]), "INVALID_ARGUMENT", "z")
    expect_error(unknown, lambda: infer("no-such-model", [tensor(tiny(1))]), "NOT_FOUND")
    expect_error(unknown, lambda: infer("tiny", [tensor(tiny(1))], model_version="99"), "NOT_FOUND")
    bad = {"authorization": "Bearer aim_nobody_nothing"}
    expect_error(unknown, lambda: client.infer("tiny", [tensor(tiny(1))], headers=bad), "UNAUTHENTICATED")
    expect_error(unknown, lambda: client.get_system_shared_memory_status(headers=auth), "UNIMPLEMENTED")
    expect_error(unknown, lambda: client.load_model("tiny", headers=auth), "UNIMPLEMENTED")


def asyncio_client():
    async def run():
        async with triton_aio.InferenceServerClient(address) as aio:
            expect(await aio.is_server_live(headers=auth), "not live")
            calls = [aio.infer("tiny", [tensor(tiny(1, seed))], headers=auth) for seed in range(20)]
            answers = await asyncio.gather(*calls)
            expect(all(answer.as_numpy("y").shape == (1, 4) for answer in answers), "a wrong shape")

            async def requests():
                for i in range(5):
                    yield {"model_name": "tiny", "inputs": [tensor(tiny(1, i))], "request_id": str(i)}

            seen = set()
            async for result, error in aio.stream_infer(requests(), headers=auth):
                expect(error is None, str(error))
                seen.add(result.get_response().id)
                if len(seen) == 5:
                    break
            expect(seen == {"0", "1", "2", "3", "4"}, f"the stream gave {seen}")

    asyncio.run(run())


report.check("server and models are live and ready", health)
report.check("server metadata lists what is offered", server_metadata)
report.check("model metadata", model_metadata)
report.check("model configuration", model_config)
report.check("repository index", repository_index)
report.check("synchronous inference, alone and batched", sync)
report.check("every type of number comes back bit for bit", every_number)
report.check("BF16", bfloat16)
report.check("BYTES", texts)
report.check("BYTES that no model could be given whole are refused", not_texts)
report.check("rank 0 and empty tensors", shapes)
report.check("version by number, by alias, by full name", versions)
report.check("several inputs, one requested output", outputs)
report.check("classification", classification)
report.check("asynchronous inference with callbacks", callbacks)
report.check("cancelling", cancelling)
report.check("deadline", deadlines)
report.check("streaming, errors in-band", streaming)
report.check("compressed messages", compression)
report.check("large tensors", large)
report.check("priority, timeout and parameters", request_parameters)
report.check("typed contents", typed_contents)
report.check("statistics", statistics)
report.check("refusals name what is wrong", refusals)
report.check("asyncio client: unary and streaming", asyncio_client)
