"""Uploads by content, in memory of one chunk, taken up again where they broke off."""

from __future__ import annotations

import base64
import hashlib
import random
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

from aimass.connection import Connection
from aimass.errors import AimassError

_service = "aimass.registry.v1.ArtifactService"
_chunk_bytes = 256 * 1024
_attempts = 6
_passing = ("unavailable", "aborted", "internal", "unknown")


def upload(connection: Connection, project: str, file: BinaryIO) -> tuple[bytes, int]:
    """Uploads a seekable file from its beginning. Returns its SHA-256 and its size in bytes."""
    sha256, size = _digest(file)
    for attempt in range(1, _attempts + 1):
        try:
            begun = connection.unary(
                f"{_service}/StartUpload",
                {
                    "sha256": base64.b64encode(sha256).decode(),
                    "sizeBytes": str(size),
                    "project": project,
                },
            )
            if begun.get("complete"):
                break
            start = int(begun.get("receivedBytes", 0))
            connection.client_stream(f"{_service}/WriteUpload", _chunks(file, begun["uploadId"], start))
        except AimassError as error:
            # A second upload of the same bytes finished this one: starting again finds the artifact.
            passing = error.code in _passing or error.reason == "UPLOAD_NOT_FOUND"
            if not passing or attempt == _attempts:
                raise
            time.sleep(random.uniform(0, 0.2 * attempt))
    return sha256, size


def _digest(file: BinaryIO) -> tuple[bytes, int]:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_chunk_bytes):
        digest.update(chunk)
    return digest.digest(), file.tell()


def _chunks(file: BinaryIO, upload_id: str, start: int) -> Iterator[dict[str, Any]]:
    file.seek(start)
    offset = start
    while True:
        chunk = file.read(_chunk_bytes)
        # An upload of nothing takes one message, too.
        if not chunk and offset > start:
            return
        yield {
            "uploadId": upload_id,
            "offset": str(offset),
            "chunk": base64.b64encode(chunk).decode(),
        }
        offset += len(chunk)
        if not chunk:
            return
