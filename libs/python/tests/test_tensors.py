import json
import unittest
from typing import Any

import numpy as np

from aimass import AimassError
from aimass.tensors import infer_body, tensors_of


def _echoed(value: Any) -> np.ndarray:
    """What comes back when a server sends the bytes it was sent."""
    body, headers = infer_body({"x": value})
    length = int(headers["inference-header-content-length"])
    header = json.dumps({"outputs": json.loads(body[:length])["inputs"]}).encode()
    return tensors_of(header + body[length:], {"inference-header-content-length": str(len(header))})["x"]


class Tensors(unittest.TestCase):
    def test_of_every_type_come_back_as_they_went(self) -> None:
        for dtype in ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"]:
            with self.subTest(dtype):
                array = np.array([[0, 1, 1]], dtype)
                np.testing.assert_array_equal(_echoed(array), array)
                self.assertEqual(_echoed(array).dtype, array.dtype)

    def test_of_texts_and_bytes_come_back_as_they_went(self) -> None:
        self.assertEqual(_echoed([["ä", ""]]).tolist(), [["ä", ""]])
        self.assertEqual(_echoed(np.array([b"\xff\x00"], object)).tolist(), [b"\xff\x00"])

    def test_of_no_elements_and_of_no_axes_keep_their_shape(self) -> None:
        self.assertEqual(_echoed(np.zeros((0, 3), np.float32)).shape, (0, 3))
        self.assertEqual(_echoed(np.float32(2)).shape, ())

    def test_that_are_columns_of_another_array_are_sent_in_order(self) -> None:
        array = np.arange(6, dtype=np.int32).reshape(2, 3).T
        np.testing.assert_array_equal(_echoed(array), array)

    def test_of_a_type_no_model_takes_are_refused_by_name(self) -> None:
        with self.assertRaisesRegex(AimassError, 'Input "x" is of complex128'):
            infer_body({"x": np.zeros(1, complex)})

    def test_in_json_are_read_too(self) -> None:
        body = b'{"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1, 2.5]}]}'
        self.assertEqual(tensors_of(body, {})["y"].tolist(), [[1, 2.5]])
