import base64
import json
import unittest

from aimass import AimassError


class ARefusal(unittest.TestCase):
    def test_of_an_api_has_its_reason_its_field_and_what_to_do(self) -> None:
        # ErrorDetail{reason: "ALIAS_MOVED", field: "alias", remedy: "Look."}
        detail = b"\x0a\x0bALIAS_MOVED\x12\x05alias\x1a\x05Look."
        value = base64.b64encode(detail).decode().rstrip("=")
        body = {
            "code": "aborted",
            "message": "It moved.",
            "details": [{"type": "aimass.common.v1.ErrorDetail", "value": value}],
        }
        error = AimassError.of_connect(409, json.dumps(body).encode())
        self.assertEqual((error.code, error.reason, error.field), ("aborted", "ALIAS_MOVED", "alias"))
        self.assertEqual(str(error), "It moved. Look.")

    def test_of_rest_has_the_code_of_its_status(self) -> None:
        error = AimassError.of_rest(404, b'{"error": "There is no model."}')
        self.assertEqual((error.code, str(error)), ("not_found", "There is no model."))

    def test_that_is_no_json_tells_the_status(self) -> None:
        error = AimassError.of_connect(502, b"<html>")
        self.assertEqual((error.code, str(error)), ("unavailable", "The server answered with HTTP status 502."))
