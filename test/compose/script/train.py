"""Leaves the model that lies beside it, unless there is a way out of the sandbox."""

import json
import os
import shutil
import sys

from ways_out import ways_out

found = ways_out(sys.argv[1])
if found:
    sys.exit(f"The sandbox has holes: {', '.join(found)}.")
with open(os.environ["AIMASS_TRAIN_FILE"]) as rows:
    count = sum(1 for _ in rows) - 1
with open(os.environ["AIMASS_METRICS_FILE"], "a") as metrics:
    metrics.write(json.dumps({"step": 1, "rows": count}) + "\n")
shutil.copy("model.onnx", os.environ["AIMASS_OUTPUT_DIR"])
print(f"{count} rows to learn from, and no way out")
