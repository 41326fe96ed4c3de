"""HTTP to a mesh: the Connect protocol in JSON for its APIs, plain REST for inference.

Every call this package makes may be repeated without harm (it reads, replaces, or carries a key of its own), so what
the network loses and what a mesh cannot take at the moment (UNAVAILABLE) is tried again, after waits that double
from 0.1 s to 2 s and are drawn at random below that.
"""

from __future__ import annotations

import http.client
import json
import random
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

from aimass.credentials import Credential
from aimass.errors import AimassError

T = TypeVar("T")

_end_of_stream = 2
_first_wait_seconds = 0.1
_longest_wait_seconds = 2.0
_connect_seconds = 10.0


class Connection:
    """Calls to one server. May be shared by threads; each call under way has a connection of its own."""

    def __init__(
        self,
        server: str,
        credential: Credential | None,
        *,
        timeout: float = 60.0,
        attempts: int = 6,
    ) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise AimassError(
                "invalid_argument",
                f'"{server}" is not the URL of a server.',
                remedy="Write it like http://127.0.0.1:5000.",
            )
        self.server = server.rstrip("/")
        self._parts = parts
        self._prefix = parts.path.rstrip("/")
        self._credential = credential
        self._timeout = timeout
        self._attempts = attempts
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def unary(self, method: str, request: Mapping[str, Any], *, timeout: float | None = None) -> dict[str, Any]:
        """One call of a control-plane API: "aimass.registry.v1.ModelService/GetModel"."""
        return self._unary(method, request, timeout=timeout, anonymous=False)

    def pages(self, method: str, request: Mapping[str, Any], field: str) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        token = ""
        while True:
            answer = self.unary(method, {**request, "page": {"size": 1000, "token": token}})
            yield from answer.get(field, [])
            token = answer.get("page", {}).get("nextToken", "")
            if not token:
                return

    def server_stream(self, method: str, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What an API streams. Not taken up again when it breaks: that is the caller's, who knows where it stood."""
        body = _envelope(json.dumps(request).encode())
        with self._exchange("POST", f"/{method}", _streaming, body, timeout=None) as response:
            if response.status != 200:
                raise AimassError.of_connect(response.status, response.read())
            yield from _messages(response)

    def client_stream(self, method: str, requests: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """Streams to an API, in memory of one message. Not repeated: `requests` can be read once."""
        body = (_envelope(json.dumps(request).encode()) for request in requests)
        with self._exchange("POST", f"/{method}", _streaming, body, timeout=None) as response:
            if response.status != 200:
                raise AimassError.of_connect(response.status, response.read())
            answers = list(_messages(response))
        return answers[0] if answers else {}

    def rest(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[bytes, Mapping[str, str]]:
        """One call of the inference protocol's REST form: body and headers of the answer."""

        def once() -> tuple[bytes, Mapping[str, str]]:
            with self._exchange(method, path, headers or {}, body, timeout=self._timeout) as response:
                answer = response.read()
                if response.status >= 300:
                    raise AimassError.of_rest(response.status, answer)
                return answer, {name.lower(): value for name, value in response.headers.items()}

        return self._again_and_again(once)

    def close(self) -> None:
        """Closes what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.close()

    def _unary(
        self, method: str, request: Mapping[str, Any], *, timeout: float | None, anonymous: bool
    ) -> dict[str, Any]:
        body = json.dumps(request).encode()
        seconds = self._timeout if timeout is None else timeout
        headers = {"content-type": "application/json", "connect-protocol-version": "1"}

        def once() -> dict[str, Any]:
            with self._exchange("POST", f"/{method}", headers, body, timeout=seconds, anonymous=anonymous) as response:
                answer = response.read()
                if response.status != 200:
                    raise AimassError.of_connect(response.status, answer)
                parsed: dict[str, Any] = json.loads(answer)
                return parsed

        return self._again_and_again(once)

    def _again_and_again(self, once: Callable[[], T]) -> T:
        wait = _first_wait_seconds
        for attempt in range(1, self._attempts + 1):
            try:
                return once()
            except AimassError as error:
                if error.code != "unavailable" or attempt == self._attempts:
                    raise
            time.sleep(random.uniform(0, wait))
            wait = min(2 * wait, _longest_wait_seconds)
        raise AssertionError("not reached")

    @contextmanager
    def _exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        *,
        timeout: float | None,
        anonymous: bool = False,
    ) -> Iterator[http.client.HTTPResponse]:
        """Errors: AimassError "unavailable" when nothing answers or the answer breaks off."""
        sent = {**headers, **({} if anonymous else self._authorization())}
        connection = self._take()
        clean = False
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(timeout)
            connection.request(method, self._prefix + path, body, sent)
            response = connection.getresponse()
            yield response
            clean = response.isclosed()
        except TimeoutError as error:
            seconds = _connect_seconds if timeout is None else timeout
            raise AimassError("deadline_exceeded", f"{self.server} did not answer within {seconds:g} s.") from error
        except (http.client.HTTPException, OSError) as error:
            # What else is idle was most likely lost with it.
            self.close()
            raise AimassError(
                "unavailable",
                f"Nothing answers at {self.server} ({error or type(error).__name__}).",
                remedy="Start a mesh with `npm start`, or name another server: connect(URL), or AIMASS_SERVER.",
            ) from error
        finally:
            if clean:
                with self._lock:
                    self._idle.append(connection)
            else:
                connection.close()

    def _authorization(self) -> dict[str, str]:
        if self._credential is None:
            return {}

        def call(path: str, request: dict[str, Any]) -> dict[str, Any]:
            return self._unary(path, request, timeout=None, anonymous=True)

        value = self._credential.authorization(self.server, call)
        return {} if value is None else {"authorization": value}

    def _take(self) -> http.client.HTTPConnection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_connect_seconds)
        return http.client.HTTPConnection(host, port, timeout=_connect_seconds)


_streaming = {"content-type": "application/connect+json", "connect-protocol-version": "1"}


def _envelope(message: bytes) -> bytes:
    """A message of a stream: flags, length, bytes (Connect protocol, "Enveloped-Message")."""
    return struct.pack(">BI", 0, len(message)) + message


def _messages(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    while True:
        head = response.read(5)
        if len(head) < 5:
            raise AimassError("unavailable", "The stream broke off before its end.")
        flags, length = struct.unpack(">BI", head)
        message = response.read(length)
        if len(message) < length:
            raise AimassError("unavailable", "The stream broke off before its end.")
        parsed = json.loads(message) if message else {}
        if flags & _end_of_stream:
            response.read()
            if "error" in parsed:
                raise AimassError.of_connect_json(parsed["error"])
            return
        yield parsed
