import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from harness.authority import AUDIENCE, ISSUER, KINDS, Issuer, jwk_of, key_set, public_pem, rsa_key
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm
from payorch_server.access.bearer import KeySet, KeySetError, TokenError, TokenRules, claimed_issuer, parse_key_set
from payorch_server.model.secret import Secret

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_S = NOW.timestamp()
SKEW_S = 30.0
LIFETIME_S = 7200.0
RULES = TokenRules(ISSUER, AUDIENCE, SKEW_S, LIFETIME_S)
A_LIFETIME = f"a lifetime of at most {LIFETIME_S:.0f} s"
ISSUERS = {algorithm: Issuer(algorithm, kid=algorithm) for algorithm in KINDS}
KEYS = parse_key_set(key_set(*ISSUERS.values()))
GOOD = ISSUERS["ES256"]
CANARY = "canary-subject"


def subject_of(token: str, *, keys: KeySet = KEYS, rules: TokenRules = RULES) -> str:
    """Check a token at the test's time."""
    return keys.verify(Secret(token), rules=rules, now=NOW)


def rule_of(token: str) -> str:
    """Return the rule that a token breaks; neither the refusal nor what it came from shows the token."""
    with pytest.raises(TokenError) as caught:
        subject_of(token)
    assert CANARY not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def unpadded(content: bytes) -> str:
    """Write bytes as tokens do."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def handmade(header: Any, content: Any, sign: Callable[[bytes], bytes] = lambda _signed: b"") -> str:
    """Make a token that no library would."""
    signed = f"{unpadded(json.dumps(header).encode())}.{unpadded(json.dumps(content).encode())}"
    return f"{signed}.{unpadded(sign(signed.encode()))}"


def claims(**changes: Any) -> dict[str, Any]:
    """Make the content of a good token, with changes."""
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": CANARY, "exp": NOW_S + 60} | changes


def with_a_public_key_as_secret(algorithm: str) -> str:
    """Sign with HS256, the secret being what everybody knows of the issuer."""
    known = public_pem(ISSUERS[algorithm].key)
    header = {"alg": "HS256", "kid": algorithm}
    return handmade(header, claims(), lambda signed: hmac.digest(known, signed, hashlib.sha256))


def with_another_signature() -> str:
    """Put the signature of one token behind another."""
    one, other = (GOOD.token(name, now=NOW) for name in (CANARY, "other"))
    return f"{one.rpartition('.')[0]}.{other.rpartition('.')[2]}"


# Tokens are made at random, which the names of tests must not be.
FORGERIES = [
    (GOOD.token(CANARY, now=NOW, header={"kid": "other"}), "key", "a key that is not in the set"),
    (GOOD.token(CANARY, now=NOW, header={"kid": "RS256"}), "algorithm", "another key of the set"),
    (Issuer(kid="ES256").token(CANARY, now=NOW), "signature", "another key by the same name"),
    (with_another_signature(), "signature", "the signature of another token"),
    (with_a_public_key_as_secret("RS256"), "algorithm", "signed with what everybody knows"),
    (with_a_public_key_as_secret("ES256"), "algorithm", "the same with another key"),
    (handmade({"alg": "none", "kid": "ES256"}, claims()), "algorithm", "no signature, and it says so"),
    (handmade({"alg": "ES256", "kid": "ES256"}, claims()), "signature", "no signature, and it does not"),
    (handmade({"alg": "", "kid": "ES256"}, claims()), "algorithm", "an empty algorithm"),
    (handmade({"kid": "ES256"}, claims()), "algorithm", "no algorithm"),
    (handmade({"alg": "ES256"}, claims()), "key", "no kid: keys are not tried one by one"),
    (handmade({"alg": "ES256", "kid": 1}, claims()), "malformed", "a kid that is no text"),
    (handmade([], claims()), "malformed", "a header that is no object"),
    (GOOD.token(CANARY, now=NOW, header={"crit": ["x"], "x": 1}), "malformed", "something critical, unknown"),
    (GOOD.signed(b"[]"), "malformed", "a list of claims"),
    (GOOD.signed(CANARY.encode()), "malformed", "no JSON"),
    (GOOD.signed(b"[" * 5000), "malformed", "deeper than a parser goes"),
    (unpadded(b"[" * 5000) + ".e30.e30", "malformed", "the same before its signature is looked at"),
    ("", "malformed", "nothing"),
    ("..", "malformed", "two dots"),
    (f"{CANARY}.x.y", "malformed", "no base64"),
    (GOOD.token(CANARY, now=NOW) + ".e30", "malformed", "a part too many"),
    (GOOD.token(CANARY, now=NOW, padding="x" * 8192), "length", "larger than any honest one"),
]


class TestClaimedIssuer:
    """What a token claims chooses whose keys and rules apply."""

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32"])
    @pytest.mark.parametrize("content", ["[" * 1000, '["\u0122",' + "[" * 1500])
    def test_is_not_looked_for_in_what_is_nested_deeply(self, encoding: str, content: str) -> None:
        """The token is malformed, in an encoding in which letters look like quotes too."""
        with pytest.raises(TokenError, match="malformed"):
            claimed_issuer(Secret(f"e30.{unpadded(content.encode(encoding))}.e30"))


class TestSubject:
    """A token names its subject if everything about it is in order."""

    @pytest.mark.parametrize("algorithm", KINDS)
    def test_is_told_for_each_algorithm(self, algorithm: str) -> None:
        """The key decides which one is used."""
        token = ISSUERS[algorithm].token("checkout", now=NOW)

        assert subject_of(token) == "checkout"

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"aud": [AUDIENCE, "other"]}, "one audience of several"),
            ({"iat": None}, "nothing demands iat"),
            ({"sub": "x"}, "the shortest subject"),
            ({"sub": "x" * 256}, "the longest subject"),
            ({"sub": "a b/ü"}, "any printable characters"),
            ({"exp": NOW_S - SKEW_S + 0.001}, "just within the skew after its end"),
            ({"nbf": NOW_S + SKEW_S}, "just within the skew before its beginning"),
            ({"exp": NOW_S + LIFETIME_S}, "the longest life"),
            ({"exp": NOW_S + LIFETIME_S + SKEW_S, "iat": NOW_S + SKEW_S}, "the same by the issuer's clock"),
            ({"exp": NOW_S + LIFETIME_S + SKEW_S, "iat": None}, "without iat the clocks may differ"),
            ({"iat": NOW_S + SKEW_S}, "issued by a clock that is as fast as allowed"),
        ],
    )
    def test_is_told_within_the_limits(self, changes: dict[str, Any], reason: str) -> None:
        """What is allowed is taken up to its border."""
        token = GOOD.token(now=NOW, **changes)

        assert subject_of(token) == changes.get("sub", "checkout"), reason

    @pytest.mark.parametrize(
        ("changes", "rule", "reason"),
        [
            ({"aud": "other"}, "audience", "for somebody else"),
            ({"aud": ["other"]}, "audience", "for some others"),
            ({"aud": []}, "missing claim", "for nobody"),
            ({"aud": None}, "missing claim", "for whom it may concern"),
            ({"iss": "https://evil.test"}, "issuer", "of another issuer"),
            ({"iss": [ISSUER]}, "issuer", "an issuer among others"),
            ({"iss": f"{ISSUER}/"}, "issuer", "nearly the issuer"),
            ({"iss": None}, "missing claim", "of nobody"),
            ({"exp": NOW_S - SKEW_S}, "expired", "the skew is over"),
            ({"exp": None}, "missing claim", "for ever"),
            ({"exp": str(NOW_S + 60)}, "times", "a text is no time"),
            ({"exp": True}, "times", "nor is a truth"),
            ({"exp": float("nan")}, "times", "a number that no time is later than"),
            ({"exp": float("inf")}, "times", "for ever, said in another way"),
            ({"exp": 10**400}, "times", "more than a number of seconds can be"),
            ({"nbf": NOW_S + SKEW_S + 1}, "not yet valid", "it has not begun"),
            ({"nbf": False}, "times", "no time"),
            ({"iat": NOW_S + SKEW_S + 1}, "not yet valid", "from the future"),
            ({"iat": "now"}, "times", "no time"),
            ({"exp": NOW_S + LIFETIME_S + 1}, A_LIFETIME, "a second longer than allowed"),
            ({"exp": NOW_S + 1, "iat": NOW_S - LIFETIME_S}, A_LIFETIME, "nearly over, but it was too long"),
            ({"exp": NOW_S + LIFETIME_S + SKEW_S + 1, "iat": None}, A_LIFETIME, "no iat hides the life that is left"),
            ({"exp": 253_402_300_799}, A_LIFETIME, "until the year 9999"),
            ({"sub": None}, "missing claim", "of nobody"),
            ({"sub": ""}, "sub", "an empty name"),
            ({"sub": "x" * 257}, "sub", "one character too many"),
            ({"sub": "a\nb"}, "sub", "a line feed would split a log line"),
            ({"sub": "a\u202eb"}, "sub", "a character that turns text around"),
            ({"sub": 7}, "sub", "a number"),
            ({"sub": [CANARY]}, "sub", "a list"),
        ],
    )
    def test_is_not_told_by_a_token_that_says_otherwise(self, changes: dict[str, Any], rule: str, reason: str) -> None:
        """The broken rule is named, and nothing of the token."""
        token = GOOD.token(**{"subject": CANARY, "now": NOW} | changes)

        assert rule == rule_of(token), reason

    @pytest.mark.parametrize(("token", "rule", "reason"), FORGERIES, ids=[row[-1] for row in FORGERIES])
    def test_is_not_told_by_a_forgery(self, token: str, rule: str, reason: str) -> None:
        """Neither what a token says of its key nor of its algorithm is believed."""
        assert rule == rule_of(token), reason

    def test_ignores_a_key_that_a_token_brings_along(self) -> None:
        """Its own key would fit any token."""
        forger = Issuer(kid="ES256")
        token = forger.token(CANARY, now=NOW, header={"jwk": forger.jwk, "jku": "https://evil.test/keys"})

        assert "signature" == rule_of(token)

    def test_allows_no_difference_of_clocks_where_none_is_configured(self) -> None:
        """The border is the moment itself."""
        strict = TokenRules(ISSUER, AUDIENCE, 0.0, LIFETIME_S)
        over = GOOD.token(now=NOW, exp=NOW_S)

        with pytest.raises(TokenError, match="expired"):
            subject_of(over, rules=strict)
        assert subject_of(GOOD.token(now=NOW - timedelta(seconds=3599)), rules=strict) == "checkout"


def with_keys(*keys: Any) -> bytes:
    """Write a key set."""
    return json.dumps({"keys": keys}).encode()


P384 = {**ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True), "kid": "a"}


# As above: their names are their reasons.
NO_KEY_SETS = [
    (b"", "is not a JSON Web Key Set", "nothing"),
    (b"\xff", "is not a JSON Web Key Set", "no text"),
    (b"-----BEGIN PUBLIC KEY-----", "is not a JSON Web Key Set", "PEM"),
    (b"[]", "is not a JSON Web Key Set", "a list"),
    (b'"keys"', "is not a JSON Web Key Set", "a text"),
    (b"{}", "is not a JSON Web Key Set", "no member keys"),
    (with_keys(), "contains no signing key", "an empty list"),
    (b'{"keys": {}}', "contains no signing key", "an object of keys"),
    (with_keys("x"), "keys.0: has no kid", "a text for a key"),
    (with_keys({**GOOD.jwk, "kid": ""}), "keys.0: has no kid", "an empty kid"),
    (with_keys({**GOOD.jwk, "kid": 1}), "keys.0: has no kid", "a kid that is no text"),
    (with_keys(GOOD.jwk, GOOD.jwk), "keys.1: has the kid of an earlier key", "one would win without a word"),
    (with_keys({"kty": "oct", "kid": "a", "k": "czNjcmV0"}), "keys.0: must be a signing key for", "a shared secret"),
    (with_keys({**GOOD.jwk, "use": "enc"}), "contains no signing key", "a key for encryption alone"),
    (with_keys({**GOOD.jwk, "alg": "HS256"}), "keys.0: must be a signing key for", "an algorithm that does not fit"),
    (
        with_keys({**ISSUERS["RS256"].jwk, "alg": "PS256"}),
        "keys.0: must be a signing key for",
        "one that we do not use",
    ),
    (with_keys(P384), "keys.0: must be a signing key for", "another curve"),
    (with_keys({**GOOD.jwk, "x": "AAAA"}), "keys.0: cannot be read", "no point of the curve"),
    (with_keys({**GOOD.jwk, "y": GOOD.jwk["x"]}), "keys.0: cannot be read", "a point beside the curve"),
    (with_keys({**ISSUERS["RS256"].jwk, "e": "AQ"}), "keys.0: cannot be read", "an exponent of 1"),
    (b'{"keys":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "is not a JSON Web Key Set", "nested deeply"),
    (('["\u0122",' + "[" * 5_000).encode("utf-16-le"), "is not a JSON Web Key Set", "nested deeply, in UTF-16"),
    (with_keys({"kty": "EC", "crv": "P-256", "kid": "a"}), "keys.0: cannot be read", "no point at all"),
    (with_keys(jwk_of(rsa_key(1024), "RS256", kid="a")), "keys.0: has fewer than 2048 bits", "a key to be guessed"),
]


_MEMBERS = {
    "kty": st.sampled_from(["EC", "RSA", "OKP", "oct", "", 5]),
    "crv": st.sampled_from(["P-256", "P-384", "Ed25519", None]),
    "alg": st.sampled_from(["ES256", "RS256", "EdDSA", "HS256", None]),
    "use": st.sampled_from(["sig", "enc", None]),
    "kid": st.sampled_from(["a", "b", "", None, 5]),
    "d": st.just("AQ"),
    "x": st.sampled_from([GOOD.jwk["x"], "!", None]),
}
_ENTRIES = st.builds(
    lambda good, over: {**good, **over},
    st.sampled_from([{}, *(issuer.jwk for issuer in ISSUERS.values())]),
    st.fixed_dictionaries({}, optional=_MEMBERS),
) | st.sampled_from([None, 5, "key", []])
"""Good keys, of which some members are others."""


class TestParseKeySet:
    """Keys are looked at before the first token is."""

    @pytest.mark.parametrize(("text", "problem", "reason"), NO_KEY_SETS, ids=[row[-1] for row in NO_KEY_SETS])
    def test_refuses_what_is_no_set_of_public_keys(self, text: bytes, problem: str, reason: str) -> None:
        """The sentence names the key and what is wrong with it."""
        with pytest.raises(KeySetError) as caught:
            parse_key_set(text)

        assert str(caught.value).startswith(problem), reason

    @pytest.mark.parametrize(
        ("text", "problem", "reason"),
        [row for row in NO_KEY_SETS if row[1].startswith("keys.0: ")],
        ids=[row[-1] for row in NO_KEY_SETS if row[1].startswith("keys.0: ")],
    )
    def test_skips_what_cannot_be_used_beside_a_good_key(self, text: bytes, problem: str, reason: str) -> None:
        """An issuer that adds a key of another kind does not end the use of the others."""
        (unusable,) = json.loads(text)["keys"]

        keys = parse_key_set(with_keys(unusable, {**GOOD.jwk, "kid": "good"}))

        assert list(keys.keys) == ["good"], reason
        (skipped,) = keys.skipped
        assert skipped.startswith(problem)

    @pytest.mark.parametrize("algorithm", KINDS)
    def test_refuses_private_keys(self, algorithm: str) -> None:
        """What signs tokens does not belong on the side that checks them; the refusal does not show it."""
        private = jwk_of(ISSUERS[algorithm].key, algorithm, kid="a", private=True)

        with pytest.raises(KeySetError) as caught:
            parse_key_set(with_keys(private))

        assert str(caught.value) == "keys.0: is a private key; only the public part belongs here"
        assert private["d"] not in repr(caught.value.__context__)

    def test_takes_what_further_members_a_key_has(self) -> None:
        """Issuers add their own, and keys for encryption beside them."""
        encrypting = {"kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "e"}

        keys = parse_key_set(with_keys(encrypting, {**GOOD.jwk, "use": "sig", "alg": "ES256", "x5t": "x"}))

        assert subject_of(GOOD.token(now=NOW), keys=keys) == "checkout"

    def test_shows_names_alone(self) -> None:
        """The names of the keys are what an operator compares."""
        assert repr(KEYS) == "KeySet(RS256, ES256, EdDSA)"

    def test_makes_a_large_key_once(self) -> None:
        """The suite does not wait for RSA keys again and again."""
        assert rsa_key() is rsa_key()

    @given(entries=st.lists(_ENTRIES, max_size=4))
    def test_yields_public_keys_of_our_algorithms_or_a_problem(self, entries: list[Any]) -> None:
        """Whatever stands in a set; nothing private is ever accepted."""
        try:
            found = parse_key_set(with_keys(*entries))
        except KeySetError:
            return
        assert found.keys
        for kid, (key, algorithm) in found.keys.items():
            assert kid
            assert algorithm in KINDS
            assert not hasattr(key, "private_bytes")
        assert not any(
            isinstance(entry, dict) and "d" in entry and entry.get("use", "sig") == "sig" for entry in entries
        )

    @given(text=st.binary(max_size=200))
    def test_fails_in_one_way(self, text: bytes) -> None:
        """On any bytes."""
        with pytest.raises(KeySetError):
            parse_key_set(text)
