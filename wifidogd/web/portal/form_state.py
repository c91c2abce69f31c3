"""The signed hidden field that carries a form's state between two requests, as browsers may keep no cookies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Protocol

from itsdangerous import BadData, URLSafeSerializer

from wifidogd.domain.errors import StoreUnavailable, WifidogdError
from wifidogd.domain.sessions import LoginQuery, UtcNow

LIFETIME = timedelta(minutes=30)
"""How long a sign-in form may stay open before it is sent."""

PREVIEW_LIFETIME = timedelta(hours=1)
"""How long an operator may look at a network's pages with one address."""

MAX_LENGTH = 8192
"""Characters of a signed state at most; a login query with a URL of 1,000 characters, four bytes each, fits."""

_LOGIN_QUERY = "wifidogd.visitor"
_TOKEN = "wifidogd.token"
_SESSION = "wifidogd.session"
_PREVIEW = "wifidogd.preview"
_OTHER_DEVICE = "wifidogd.companion"


class ForgedState(WifidogdError):
    """A form came back with a state that no server on this database signed for this purpose."""


class StaleState(WifidogdError):
    """
    A form came back with a state of ours that has expired.

    @ivar login_query: whom it was made for.
    """

    def __init__(self, login_query: LoginQuery) -> None:
        super().__init__(f"expired state of a guest at {login_query.gw_id}")
        self.login_query = login_query


class HasSigningSecret(Protocol):
    """
    Knows the secret that signs forms: the registry.

    @ivar signing_secret: None while it has not been read.
    """

    @property
    def signing_secret(self) -> str | None: ...


class FormState:
    """
    Signs and reads the hidden field of forms.

    The secret is in the database, so any server on it accepts forms of the
    others, and forms from before a restart.  The time limits are ours and not
    those of the timed serializer of itsdangerous, which refuses a state whose
    server has a clock that is a second ahead.
    """

    def __init__(self, secrets: HasSigningSecret, utc_now: UtcNow) -> None:
        self._secrets = secrets
        self._utc_now = utc_now

    def seal_login_query(self, login_query: LoginQuery) -> str:
        """
        Sign the login query of a guest at the login page, for L{LIFETIME}.

        @raise StoreUnavailable: while the secret has not been read.
        """
        until = int((self._utc_now() + LIFETIME).timestamp())
        said = {name: value for name, value in asdict(login_query).items() if value is not None}
        return self._seal(_LOGIN_QUERY, {"until": until, "visitor": said})

    def open_login_query(self, state: str) -> LoginQuery:
        """
        Read what L{seal_login_query} signed.

        @raise ForgedState: if it did not.
        @raise StaleState: if it was too long ago.
        @raise StoreUnavailable: while the secret has not been read.
        """
        values = self._open(_LOGIN_QUERY, state)
        try:
            login_query, until = LoginQuery(**values["visitor"]), int(values["until"])
        except (KeyError, TypeError, ValueError) as unknown:
            raise ForgedState("state of another version") from unknown
        if self._utc_now().timestamp() >= until:
            raise StaleState(login_query)
        return login_query

    def seal_token(self, token: str) -> str:
        """
        Sign the token of a session for its log-out button; it is good for as long as the session.

        @raise StoreUnavailable: while the secret has not been read.
        """
        return self._seal(_TOKEN, {"token": token})

    def open_token(self, state: str) -> str:
        """
        Read what L{seal_token} signed.

        @raise ForgedState: if it did not.
        @raise StoreUnavailable: while the secret has not been read.
        """
        return str(self._open(_TOKEN, state).get("token"))

    def seal_token_hash(self, token_hash: bytes) -> str:
        """
        Sign a session whose token the browser does not know, for its log-out button; good for as long as the session.

        @raise StoreUnavailable: while the secret has not been read.
        """
        return self._seal(_SESSION, {"token_hash": token_hash.hex()})

    def open_token_hash(self, state: str) -> bytes:
        """
        Read what L{seal_token_hash} signed.

        @raise ForgedState: if it did not.
        @raise StoreUnavailable: while the secret has not been read.
        """
        return bytes.fromhex(str(self._open(_SESSION, state).get("token_hash")))

    def seal_other_device(self, token: str, session_id: int) -> str:
        """
        Sign another session of the guest with a token, for its disconnect button.

        @raise StoreUnavailable: while the secret has not been read.
        """
        return self._seal(_OTHER_DEVICE, {"token": token, "session": session_id})

    def open_other_device(self, state: str) -> tuple[str, int]:
        """
        Read what L{seal_other_device} signed.

        @raise ForgedState: if it did not.
        @raise StoreUnavailable: while the secret has not been read.
        """
        values = self._open(_OTHER_DEVICE, state)
        return str(values.get("token")), int(values.get("session", 0))

    def seal_preview(self, network: str) -> str:
        """
        Sign the name of a network whose pages an operator may look at, for L{PREVIEW_LIFETIME}.

        @raise StoreUnavailable: while the secret has not been read.
        """
        return self._seal(
            _PREVIEW, {"until": int((self._utc_now() + PREVIEW_LIFETIME).timestamp()), "network": network}
        )

    def open_preview(self, state: str) -> str:
        """
        Read what L{seal_preview} signed.

        @raise ForgedState: if it did not, or too long ago.
        @raise StoreUnavailable: while the secret has not been read.
        """
        values = self._open(_PREVIEW, state)
        if self._utc_now().timestamp() >= int(values.get("until", 0)):
            raise ForgedState("too old")
        return str(values.get("network"))

    def _seal(self, purpose: str, values: Mapping[str, Any]) -> str:
        return str(self._serializer(purpose).dumps(values))

    def _open(self, purpose: str, state: str) -> Mapping[str, Any]:
        if len(state) > MAX_LENGTH:
            raise ForgedState("too long")
        try:
            values = self._serializer(purpose).loads(state)
        except BadData as bad:
            raise ForgedState(str(bad)) from bad
        if not isinstance(values, dict):
            raise ForgedState("not what this server signs")
        return values

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        """Return a serializer whose key the purpose salts: the state of one form is forged in another."""
        secret = self._secrets.signing_secret
        if secret is None:
            raise StoreUnavailable("the secret that signs forms has not been read yet")
        return URLSafeSerializer(
            secret, salt=purpose, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )
