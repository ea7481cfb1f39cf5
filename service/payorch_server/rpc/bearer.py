"""Tokens of callers: JSON Web Tokens checked against the issuer's key set."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.exceptions import InvalidSubjectError
from jwt.types import Options

from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the token is checked here

ALGORITHMS: Final = {("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""By type and curve of the key: which algorithm a token uses is never the token's own choice."""
_MIN_RSA_BITS: Final = 2048
_MAX_TOKEN_CHARACTERS: Final = 8192
_MAX_SUBJECT_CHARACTERS: Final = 256
_LAST_TIME_S: Final = 253_402_300_799
"""The end of the year 9999, Unix time."""
# Times are compared with our own clock, below.
_OPTIONS: Final[Options] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "require": ["exp", "sub", "iss", "aud"],
}


class KeySetError(Exception):
    """A key set that cannot be used; its text says why, as a sentence part."""


class TokenRefused(Exception):  # noqa: N818 - it reads as what happened
    """A token that is not accepted; its text is the rule that it breaks, without anything of the token."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say."""

    issuer: str
    audience: str
    clock_skew_s: float


@dataclass(frozen=True, slots=True)
class KeySet:
    """The issuer's public keys."""

    keys: Mapping[str, tuple[Any, str]]
    """Key and algorithm by kid."""

    def __repr__(self) -> str:
        return f"KeySet({', '.join(self.keys)})"

    def subject(self, token: Secret[str], *, rules: TokenRules, now: datetime) -> str:
        """Return the subject of a token that is in order.

        Args:
            token: The compact form.
            rules: What it must say.
            now: The time.

        Raises:
            TokenRefused: It is not.
        """
        text = reveal(token)
        key, algorithm = self._key_of(text)
        try:
            claims = jwt.decode(
                text, key=key, algorithms=[algorithm], audience=rules.audience, issuer=rules.issuer, options=_OPTIONS
            )
        except jwt.InvalidTokenError as error:
            # Texts of the library may quote the token.
            raise TokenRefused(_RULES.get(type(error), "malformed")) from None
        _check_times(claims, now.timestamp(), rules.clock_skew_s)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT_CHARACTERS or not subject.isprintable():
            raise TokenRefused("sub")
        return subject

    def _key_of(self, text: str) -> tuple[Any, str]:
        if len(text) > _MAX_TOKEN_CHARACTERS:
            raise TokenRefused("length")
        try:
            kid = jwt.get_unverified_header(text).get("kid")
        except jwt.InvalidTokenError:
            raise TokenRefused("malformed") from None
        if not isinstance(kid, str) or kid not in self.keys:
            raise TokenRefused("key")
        return self.keys[kid]


_RULES: Final = {
    jwt.InvalidSignatureError: "signature",
    jwt.InvalidAlgorithmError: "algorithm",
    jwt.InvalidAudienceError: "audience",
    jwt.InvalidIssuerError: "issuer",
    jwt.MissingRequiredClaimError: "missing claim",
    InvalidSubjectError: "sub",
}


def _check_times(claims: Mapping[str, Any], now_s: float, skew_s: float) -> None:
    expires_s, begins_s, issued_s = claims["exp"], claims.get("nbf", now_s), claims.get("iat", now_s)
    if not all(_is_time(one) for one in (expires_s, begins_s, issued_s)):
        raise TokenRefused("times")
    if now_s >= expires_s + skew_s:
        raise TokenRefused("expired")
    if max(begins_s, issued_s) > now_s + skew_s:
        raise TokenRefused("not yet valid")


def _is_time(claim: Any) -> bool:
    """Tell whether a claim is a moment that can be compared: JSON as Python reads it knows NaN and Infinity too."""
    return isinstance(claim, int | float) and not isinstance(claim, bool) and 0 <= claim <= _LAST_TIME_S


def parse_key_set(text: bytes) -> KeySet:
    """Return the keys of a JSON Web Key Set.

    Raises:
        KeySetError: It is none, or has a key that must not be used.
    """
    try:
        document = json.loads(text)
        listed = document["keys"]
    except (ValueError, TypeError, KeyError):
        raise KeySetError("is no JSON Web Key Set: a JSON object with the member keys") from None
    # Issuers publish their keys for encryption in the same set.
    signing = [(index, one) for index, one in enumerate(listed if isinstance(listed, list) else ()) if _signs(one)]
    if not signing:
        raise KeySetError("holds no key for signatures")
    keys: dict[str, tuple[Any, str]] = {}
    for index, one in signing:
        kid, key = _parse_key(one if isinstance(one, dict) else {}, f"keys.{index}")
        if kid in keys:
            raise KeySetError(f"keys.{index}: the kid {kid} appears twice")
        keys[kid] = key
    return KeySet(keys)


def _signs(one: object) -> bool:
    return not isinstance(one, dict) or one.get("use", "sig") == "sig"


def _parse_key(one: Mapping[str, Any], path: str) -> tuple[str, tuple[Any, str]]:
    kid, algorithm = one.get("kid"), ALGORITHMS.get((str(one.get("kty")), str(one.get("crv", ""))))
    if not isinstance(kid, str) or not kid:
        raise KeySetError(f"{path}: has no kid")
    if algorithm is None or one.get("alg", algorithm) != algorithm:
        raise KeySetError(f"{path}: must be a key for signatures with RS256, ES256 or EdDSA (Ed25519)")
    if "d" in one:
        raise KeySetError(f"{path}: is a private key; only the public part belongs here")
    try:
        key = jwt.PyJWK(dict(one), algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise KeySetError(f"{path}: cannot be read") from None
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise KeySetError(f"{path}: has fewer than {_MIN_RSA_BITS} bits")
    return kid, (key, algorithm)
