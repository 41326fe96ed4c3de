"""kserve's SDK in V1 and V2, and MLflow's scoring client, against a running mesh: argv is host:port and an API key."""

import asyncio
import sys

import httpx
import numpy as np
import pandas as pd
import requests
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from report import Report, expect

address, key = sys.argv[1:3]
url = f"http://{address}"
auth = {"authorization": f"Bearer {key}"}
report = Report("serving clients")
rows = np.arange(8, dtype=np.float32).reshape(2, 4)


def kserve_v1():
    async def calls():
        async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
            expect(await client.is_server_live(url), "not live")
            expect(await client.is_model_ready(url, "tiny", headers=auth), "tiny is not ready")
            answer = await client.infer(url, {"instances": rows.tolist()}, model_name="tiny", headers=auth)
            expect(np.shape(answer["predictions"]) == (2, 4), f"predictions {answer}")
            named = {"instances": [{"a": [1, 2], "b": [1, 2, 3]}]}
            answer = await client.infer(url, named, model_name="multi", headers=auth)
            expect(np.ravel(answer["predictions"][0]["total"]) == [9], f"predictions {answer}")
            try:
                await client.infer(url, {"instances": [[1]]}, model_name="tiny", headers=auth)
            except httpx.HTTPStatusError as error:
                expect(error.response.status_code == 400, f"status {error.response.status_code}")
            else:
                raise AssertionError("a row of one value was taken")

    asyncio.run(calls())


def kserve_v2():
    async def calls():
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            expect(await client.is_server_live(url) and await client.is_server_ready(url), "not live or not ready")
            expect(await client.is_model_ready(url, "tiny", headers=auth), "tiny is not ready")
            for binary in (False, True):
                tensor = InferInput("x", list(rows.shape), "FP32")
                tensor.set_data_from_numpy(rows, binary_data=binary)
                request = InferRequest("tiny", [tensor])
                answer = await client.infer(url, request, model_name="tiny", headers=dict(auth))
                expect(answer.outputs[0].shape == [2, 4], f"shape {answer.outputs[0].shape}")

    asyncio.run(calls())


def mlflow_scoring():
    # It sends no credential: anyone may call "text", which is the default model too.
    client = ScoringServerClient("127.0.0.1", int(address.rsplit(":", 1)[1]))
    for prefix in (client.url_prefix, f"{url}/models/text"):
        client.url_prefix = prefix
        client.wait_server_ready(timeout=10)
        answer = client.invoke(pd.DataFrame({"text": ["How are you?", "fine"]})).get_predictions()
        expect(list(answer["words"]) == [3, 1] and list(answer["question"]) == [True, False], f"predictions {answer}")
        answer = client.invoke(np.array(["a b", "c"])).get_predictions()
        expect(list(answer["words"]) == [2, 1], f"predictions {answer}")
        csv = "text\nHow are you?\nfine\n"
        answer = requests.post(f"{prefix}/invocations", data=csv, headers={"content-type": "text/csv"})
        expect(answer.json()["predictions"][0]["words"] == 3, f"predictions {answer.text}")


report.check("kserve V1", kserve_v1)
report.check("kserve V2", kserve_v2)
report.check("MLflow's scoring client", mlflow_scoring)
