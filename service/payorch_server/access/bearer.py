"""Tokens of callers: JSON Web Tokens checked against the issuer's key set."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the token is checked here
from payorch_server.runtime.interpreter_defaults import read_json

if TYPE_CHECKING:
    from jwt.types import Options

ALGORITHMS: Final = {("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""Signature algorithm by type and curve of the key: a token never chooses its own algorithm."""
_MIN_RSA_BITS: Final = 2048
_MAX_LISTED: Final = 3
"""Reasons why a set has no key that can be used."""
_MAX_TOKEN_CHARACTERS: Final = 8192
_MAX_SUBJECT_CHARACTERS: Final = 256
_LAST_TIME_S: Final = 253_402_300_799
"""The end of the year 9999, Unix time."""
# _check_times compares times with the service's clock.
_OPTIONS: "Final[Options]" = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "require": ["exp", "sub", "iss", "aud"],
}


class KeySetError(Exception):
    """A key set that cannot be used; the text is the problem, without a subject."""


class TokenError(Exception):
    """A token that is not accepted; the text is the rule that it breaks, without any part of the token."""


class UnknownKeyError(TokenError):
    """A token that names a key which is not in the key set."""

    def __init__(self) -> None:
        super().__init__("key")


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must contain."""

    issuer: str
    audience: str
    clock_skew_s: float
    max_lifetime_s: float
    subject_prefix: str = ""
    """Before the subject, in the name of a caller."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The issuer's public keys."""

    keys: Mapping[str, tuple[Any, str]]
    """Key and algorithm by kid."""
    skipped: tuple[str, ...] = ()
    """Why other keys of the set cannot be used, each sentence beginning with where the key is."""

    def __repr__(self) -> str:
        return f"KeySet({', '.join(self.keys)})"

    def verify(self, token: Secret[str], *, rules: TokenRules, now: datetime) -> str:
        """Verify a token and return its subject.

        Args:
            token: The compact form.
            rules: What it must contain.
            now: The time.

        Raises:
            TokenError: The token breaks a rule.
        """
        import jwt  # noqa: PLC0415 - with the key set, by services that accept tokens

        # 1. The key set decides about the algorithm, by the key that the header names.
        text = _bounded(token)
        key, algorithm = self._find_key(text)
        # 2. Signature, audience, issuer and required claims.
        try:
            claims = jwt.decode(
                text, key=key, algorithms=[algorithm], audience=rules.audience, issuer=rules.issuer, options=_OPTIONS
            )
        except jwt.InvalidTokenError as error:
            # The library's texts may quote the token.
            raise TokenError(_RULE_OF_ERROR.get(type(error).__name__, "malformed")) from None
        # 3. Validity in time, with an allowance for the issuer's clock.
        _check_times(claims, now.timestamp(), rules)
        # 4. A subject that can be an identity.
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT_CHARACTERS or not subject.isprintable():
            raise TokenError("sub")
        return subject

    def _find_key(self, text: str) -> tuple[Any, str]:
        import jwt  # noqa: PLC0415 - as above

        try:
            kid = jwt.get_unverified_header(text).get("kid")
        except jwt.InvalidTokenError:
            raise TokenError("malformed") from None
        if not isinstance(kid, str):
            raise TokenError("key")
        if kid not in self.keys:
            raise UnknownKeyError
        return self.keys[kid]


def claimed_issuer(token: Secret[str]) -> str:
    """Return the issuer that a token claims to be of. It is not verified: it only chooses whose keys and rules apply.

    Raises:
        TokenError: The token does not claim exactly one.
    """
    # 1. Three parts, of which the second is JSON in base64url.
    parts = _bounded(token).split(".")
    try:
        _header, content, _signature = parts
        claims = read_json(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    except ValueError:
        raise TokenError("malformed") from None
    # 2. An object with one text for iss.
    if not isinstance(claims, dict):
        raise TokenError("malformed")
    if "iss" not in claims:
        raise TokenError("missing claim")
    if not isinstance(claims["iss"], str):
        raise TokenError("issuer")
    return claims["iss"]


def _bounded(token: Secret[str]) -> str:
    text = reveal(token)
    if len(text) > _MAX_TOKEN_CHARACTERS:
        raise TokenError("length")
    return text


_RULE_OF_ERROR: Final = {
    "InvalidSignatureError": "signature",
    "InvalidAlgorithmError": "algorithm",
    "InvalidAudienceError": "audience",
    "InvalidIssuerError": "issuer",
    "MissingRequiredClaimError": "missing claim",
    "InvalidSubjectError": "sub",
}
"""By name of PyJWT's exception."""


def _check_times(claims: Mapping[str, Any], now_s: float, rules: TokenRules) -> None:
    skew_s = rules.clock_skew_s
    expires_s, begins_s, issued_s = claims["exp"], claims.get("nbf", now_s), claims.get("iat", now_s)
    if not all(_is_time(claim) for claim in (expires_s, begins_s, issued_s)):
        raise TokenError("times")
    if now_s >= expires_s + skew_s:
        raise TokenError("expired")
    if max(begins_s, issued_s) > now_s + skew_s:
        raise TokenError("not yet valid")
    # RFC 9068 demands iat and RFC 7519 does not. Without it the life that is left is compared, by two clocks.
    if expires_s - issued_s > rules.max_lifetime_s + (0.0 if "iat" in claims else skew_s):
        raise TokenError(f"a lifetime of at most {rules.max_lifetime_s:.15g} s")


def _is_time(claim: Any) -> bool:
    """Return whether a claim is a comparable time: Python's JSON also reads NaN and Infinity."""
    return isinstance(claim, int | float) and not isinstance(claim, bool) and 0 <= claim <= _LAST_TIME_S


def parse_key_set(text: bytes) -> KeySet:
    """Return the keys of a JSON Web Key Set.

    Keys that cannot be used are skipped, as RFC 7517, 5 has it: a set also serves others, and an issuer that adds a
    key of another kind must not end the use of the rest.

    Args:
        text: The document.

    Raises:
        KeySetError: It is not a key set, has no key that can be used, a private one, or two with the same kid.
    """
    try:
        listed = read_json(text)["keys"]
    except (ValueError, TypeError, KeyError):
        raise KeySetError("is not a JSON Web Key Set, an object with the member keys") from None
    # Issuers also publish encryption keys in the set; they are skipped.
    keys: dict[str, tuple[Any, str]] = {}
    skipped: list[str] = []
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        if not _may_sign(entry):
            continue
        member = entry if isinstance(entry, dict) else {}
        if "d" in member:
            raise KeySetError(f"keys.{index}: is a private key; only the public part belongs here")
        try:
            kid, key = _parse_key(member)
        except _UnusableKeyError as error:
            skipped.append(f"keys.{index}: {error}")
            continue
        if kid in keys:
            raise KeySetError(f"keys.{index}: has the kid of an earlier key")
        keys[kid] = key
    if not keys:
        raise KeySetError("; ".join(skipped[:_MAX_LISTED]) or "contains no signing key")
    return KeySet(keys, tuple(skipped))


def _may_sign(entry: object) -> bool:
    return not isinstance(entry, dict) or entry.get("use", "sig") == "sig"


class _UnusableKeyError(Exception):
    """A key that no token can be verified with; the text is the reason."""


def _parse_key(entry: Mapping[str, Any]) -> tuple[str, tuple[Any, str]]:
    import jwt  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415

    kid, algorithm = entry.get("kid"), ALGORITHMS.get((str(entry.get("kty")), str(entry.get("crv", ""))))
    if not isinstance(kid, str) or not kid:
        raise _UnusableKeyError("has no kid")
    if algorithm is None or entry.get("alg", algorithm) != algorithm:
        raise _UnusableKeyError("must be a signing key for RS256, ES256 or EdDSA (Ed25519)")
    try:
        key = jwt.PyJWK(dict(entry), algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        raise _UnusableKeyError("cannot be read") from None
    if isinstance(key, RSAPublicKey) and key.key_size < _MIN_RSA_BITS:
        raise _UnusableKeyError(f"has fewer than {_MIN_RSA_BITS} bits")
    return kid, (key, algorithm)
