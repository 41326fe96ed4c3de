#!/usr/bin/env bash
# tritonclient[http] 2.73.0 (the newest on 2026-11-29), Python 3.11.
#
# Guess: the dict that is given as `headers` to infer() is read, and may be given again to the next call.
# Seen: infer() with binary inputs writes Inference-Header-Content-Length into that very dict (as an int). The next call with the same dict and JSON inputs sends
# the old number along with a body that is JSON as a whole, and a server that believes it takes the body apart at the wrong byte.
# So: give each call a dict of its own (`headers=dict(headers)`); a server should say what is wrong with the number, not with the JSON.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'tritonclient[http]==2.73.0'
cat > headers.py <<'PY'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import tritonclient.http as triton

NAME = "Inference-Header-Content-Length"
seen = []


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        size = int(self.headers["content-length"])
        self.rfile.read(size)
        seen.append((self.headers.get(NAME), size))
        output = {"name": "y", "datatype": "FP32", "shape": [1], "data": [1.0]}
        answer = json.dumps({"model_name": "m", "model_version": "1", "outputs": [output]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = triton.InferenceServerClient(f"127.0.0.1:{server.server_port}")
x = triton.InferInput("x", [1], "FP32")
headers = {"authorization": "Bearer key"}

x.set_data_from_numpy(np.ones(1, np.float32))
client.infer("m", [x], headers=headers)
left = headers.get(NAME)
x.set_data_from_numpy(np.ones(1, np.float32), binary_data=False)
y = triton.InferRequestedOutput("y", binary_data=False)
client.infer("m", [x], outputs=[y], headers=headers)
print(f"left in the caller's dict: {left!r}; sent with a body of JSON alone ({seen[1][1]} bytes): {seen[1][0]!r}")
assert isinstance(left, int) and seen[1][0] == str(left) and left != seen[1][1]
PY
venv/bin/python headers.py
