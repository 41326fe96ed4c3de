"""What a mesh refuses, in the form of an exception."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

# Statuses of plain REST, by the code that the same refusal has over gRPC (google.rpc.Code).
_code_of_status = {
    400: "invalid_argument",
    401: "unauthenticated",
    403: "permission_denied",
    404: "not_found",
    405: "unimplemented",
    408: "deadline_exceeded",
    409: "aborted",
    413: "resource_exhausted",
    415: "invalid_argument",
    429: "resource_exhausted",
    501: "unimplemented",
    503: "unavailable",
    504: "deadline_exceeded",
}


class AimassError(Exception):
    """A refusal of the mesh, or that nothing answers.

    `code` is the gRPC code in lower case ("not_found"), `reason` a stable name that a program may branch on
    ("ALIAS_MOVED", empty where there is none), `field` the part of the request that is to blame, `remedy` what
    would be right.
    """

    def __init__(self, code: str, message: str, *, reason: str = "", field: str = "", remedy: str = "") -> None:
        super().__init__(message if not remedy or remedy in message else f"{message} {remedy}")
        self.code = code
        self.message = message
        self.reason = reason
        self.field = field
        self.remedy = remedy

    @classmethod
    def of_rest(cls, status: int, body: bytes) -> AimassError:
        """The error of REST: {"error": "one or two sentences"}."""
        answer = _json_object(body)
        text = answer.get("error")
        fallback = "unavailable" if status == 502 else "internal" if status >= 500 else "invalid_argument"
        return cls(
            _code_of_status.get(status, fallback),
            text if isinstance(text, str) else _status(status),
        )

    @classmethod
    def of_connect(cls, status: int, body: bytes) -> AimassError:
        """The error of a unary call by the Connect protocol."""
        answer = _json_object(body)
        if "code" not in answer:
            return cls.of_rest(status, body)
        return cls.of_connect_json(answer)

    @classmethod
    def of_connect_json(cls, answer: dict[str, object]) -> AimassError:
        """The error object of the Connect protocol, as it also ends a stream."""
        detail: dict[int, str] = {}
        details = answer.get("details")
        for one in details if isinstance(details, list) else []:
            if isinstance(one, dict) and str(one.get("type", "")).endswith("aimass.common.v1.ErrorDetail"):
                detail = dict(_strings_of(_base64(str(one.get("value", "")))))
        return cls(
            str(answer.get("code", "unknown")),
            str(answer.get("message", "The mesh refused without a word.")),
            reason=detail.get(1, ""),
            field=detail.get(2, ""),
            remedy=detail.get(3, ""),
        )


def _json_object(body: bytes) -> dict[str, object]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _status(status: int) -> str:
    return f"The server answered with HTTP status {status}."


def _base64(text: str) -> bytes:
    """Connect leaves the padding out."""
    return base64.b64decode(text + "=" * (-len(text) % 4))


def _strings_of(message: bytes) -> Iterator[tuple[int, str]]:
    """Fields of a Protocol Buffers message that has strings alone, as ErrorDetail has (proto/aimass/common/v1)."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 != 2:
            return
        length, at = _varint(message, at)
        yield tag >> 3, message[at : at + length].decode("utf-8", "replace")
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    return value, at
