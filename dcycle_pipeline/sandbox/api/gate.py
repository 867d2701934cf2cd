"""Who may ask: keys, tokens, organisations (docs.dcycle.io/docs/authentication).

What a refusal says belongs to `refusals`.
"""

import secrets
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import msgspec

from dcycle_pipeline.sandbox.api.refusals import bad_key, bad_login, bad_token, denied, forbidden, invalid, missing
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.world.world import World


@dataclass
class _IssuedToken:
    expires_at: float
    requests_left: int | None


class Gate:
    """Knows the keys and the tokens it issued. Every method raises the Refusal that the documentation names."""

    def __init__(self, api_key: str, organization_keys: Mapping[str, Set[str]], email: str, password: str) -> None:
        self._keys: dict[str, Set[str] | None] = {api_key: None, **organization_keys}
        self._email = email
        self._password = password
        self._tokens: dict[str, _IssuedToken] = {}

    def log_in(self, body: bytes, behaviour: Behaviour) -> dict[str, Any]:
        """Issues a token that lasts as long as the behaviour says, an hour if it says nothing."""
        try:
            given = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.DecodeError:
            raise invalid("body", "body", "JSON decode error", None, "json_invalid") from None
        for name in ("email", "password"):
            if name not in given:
                raise missing("body", name)
        if (given["email"], given["password"]) != (self._email, self._password):
            raise bad_login()
        token = f"eyJhbGciOiJIUzI1NiJ9.{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(16)}"
        self._tokens[token] = _IssuedToken(time.monotonic() + behaviour.token_seconds, behaviour.token_requests)
        return {"access_token": token, "token_type": "bearer", "expires_in": int(behaviour.token_seconds)}

    def organizations_for(self, headers: Mapping[str, str]) -> Set[str] | None:
        """The organisations that the key or token opens. None: all."""
        if (key := headers.get("x-api-key")) is not None:
            if key not in self._keys:
                raise bad_key()
            return self._keys[key]
        scheme, _, credential = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise bad_key()
        if credential in self._keys:
            return self._keys[credential]
        self._count_use_of(credential)
        return None

    def _count_use_of(self, credential: str) -> None:
        token = self._tokens.get(credential)
        if token is None or time.monotonic() >= token.expires_at or token.requests_left == 0:
            self._tokens.pop(credential, None)
            raise bad_token()
        if token.requests_left is not None:
            token.requests_left -= 1

    def organization(self, headers: Mapping[str, str], world: World, behaviour: Behaviour) -> str:
        """The organisation that the request names, if its key or token may read the data."""
        allowed = self.organizations_for(headers)
        organization_id = named_organization(headers)
        if (status := behaviour.denial_of(organization_id)) is not None:
            raise denied(status, forbidden())
        if (allowed is not None and organization_id not in allowed) or organization_id not in world.organization_ids():
            raise forbidden()
        return organization_id


def named_organization(headers: Mapping[str, str]) -> str:
    """The organisation of the `x-organization-id` header. Raises a 422 Refusal if it is missing."""
    if not (organization_id := headers.get("x-organization-id")):
        raise missing("header", "x-organization-id")
    return organization_id
