"""How the scripts here say what they saw: one JSON object a line, {"name", "outcome", "note"}."""

import json
import time
import traceback


class Report:
    def __init__(self, prefix):
        self.prefix = prefix

    def check(self, name, step):
        started = time.monotonic()
        try:
            note = step() or ""
            outcome = "passed"
        except Exception as error:  # every failure is a finding, the next check still runs
            place = traceback.extract_tb(error.__traceback__)[-1]
            note = f"{type(error).__name__}: {error} ({place.name}, line {place.lineno})"
            outcome = "failed"
        seconds = time.monotonic() - started
        note = f"{note} ({seconds:.1f} s)".strip() if seconds > 1 else note
        print(json.dumps({"name": f"{self.prefix}: {name}", "outcome": outcome, "note": note}), flush=True)


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_error(kind, call, *parts):
    """Calls, and expects an error of that kind whose text holds all the parts."""
    try:
        call()
    except kind as error:
        text = str(error)
        for part in parts:
            expect(part.lower() in text.lower(), f"the error says {text!r}, without {part!r}")
        return text
    raise AssertionError("no error came")
