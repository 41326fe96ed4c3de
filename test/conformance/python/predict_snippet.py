"""The call people write first, as it stands in their notebooks: no key, a fixed address, only `requests`."""

import json

import requests

predictions = requests.post("http://localhost:5000" + "/predict", headers={"content-type": "application/json; charset=UTF-8", "accept": "*/*"}, data=json.dumps({"text": "How are you?"})).json()["predictions"]

print(json.dumps(predictions))
