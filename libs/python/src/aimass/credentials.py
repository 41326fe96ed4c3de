"""Where a caller's credential comes from."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from aimass.errors import AimassError

#: An unauthenticated unary call: the method's path below the server, and the request; gives the answer.
Call = Callable[[str, dict[str, Any]], dict[str, Any]]

_session_service = "aimass.auth.v1.SessionService"
_renew_before_seconds = 30.0


class Credential(Protocol):
    """Gives the value of the `authorization` header."""

    def authorization(self, server: str, call: Call) -> str | None: ...


@dataclass(frozen=True)
class ApiKey:
    """A key of `aimass keys create`."""

    key: str = field(repr=False)

    def authorization(self, server: str, call: Call) -> str | None:
        return f"Bearer {self.key}"


class Password:
    """Signs in when the first call is made, and stays signed in as long as the process lives."""

    def __init__(self, username: str, password: str) -> None:
        self._username = username
        self._password = password
        self._tokens: _Tokens | None = None
        self._lock = threading.Lock()

    def authorization(self, server: str, call: Call) -> str | None:
        with self._lock:
            if self._tokens is None or not self._tokens.fresh():
                self._tokens = self._renewed(call)
            return f"Bearer {self._tokens.access}"

    def _renewed(self, call: Call) -> _Tokens:
        if self._tokens is not None:
            try:
                return _refreshed(call, self._tokens.refresh)
            except AimassError as error:
                if error.code != "unauthenticated":
                    raise
        answer = call(f"{_session_service}/SignIn", {"username": self._username, "password": self._password})
        return _Tokens.of(answer["tokens"])


class CliSession:
    """The session of `aimass login`, shared with the command line and kept fresh for it."""

    def __init__(self, path: Path | None = None) -> None:
        config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        self.path = path if path is not None else Path(config) / "aimass" / "credentials.json"
        self._lock = threading.Lock()

    def is_there(self, server: str) -> bool:
        """Whether somebody signed in to this server."""
        return server in self._read()

    def authorization(self, server: str, call: Call) -> str | None:
        with self._lock:
            kept = self._read().get(server)
            if kept is None:
                return None
            tokens = _Tokens(kept["accessToken"], kept["accessExpiresAt"] / 1000, kept["refreshToken"])
            if not tokens.fresh():
                tokens = self._renew(server, tokens, call)
            return f"Bearer {tokens.access}"

    def _renew(self, server: str, old: _Tokens, call: Call) -> _Tokens:
        try:
            tokens = _refreshed(call, old.refresh)
        except AimassError as error:
            if error.code != "unauthenticated":
                raise
            raise AimassError(
                "unauthenticated",
                "Your session has ended.",
                remedy="Sign in again with `aimass login`.",
            ) from error
        # Another process used the token a moment ago: it keeps the next one.
        if tokens.refresh:
            self._save(server, tokens)
        return tokens

    def _read(self) -> dict[str, Any]:
        try:
            sessions = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return sessions if isinstance(sessions, dict) else {}

    def _save(self, server: str, tokens: _Tokens) -> None:
        sessions = self._read()
        sessions[server] = {
            **sessions.get(server, {}),
            "accessToken": tokens.access,
            "accessExpiresAt": int(tokens.expires * 1000),
            "refreshToken": tokens.refresh,
        }
        # mkstemp makes it readable for its owner alone.
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f"{self.path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(sessions, file, indent=2)
        os.replace(temporary, self.path)


@dataclass(frozen=True)
class _Tokens:
    access: str
    expires: float
    refresh: str

    @classmethod
    def of(cls, pair: dict[str, Any]) -> _Tokens:
        return cls(pair["accessToken"], seconds_of(pair["accessExpiresAt"]), pair.get("refreshToken", ""))

    def fresh(self) -> bool:
        return self.expires - time.time() > _renew_before_seconds


def _refreshed(call: Call, refresh_token: str) -> _Tokens:
    answer = call(f"{_session_service}/RefreshSession", {"refreshToken": refresh_token})
    return _Tokens.of(answer["tokens"])


def seconds_of(moment: str) -> float:
    """Seconds since 1970 of a timestamp as Protocol Buffers' JSON has it: RFC 3339 with 0, 3, 6 or 9 digits."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
