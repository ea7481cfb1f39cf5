"""Valid Apple Pay tokens, and tables of what can be wrong with one: case, token, path, rule."""

import base64
import json
from typing import Any

from payorch_server.applepay import MAX_TOKEN_BYTES, TokenRule
from zuora_emulator.apple_pay import wrap_token

from harness.apple_tokens import mint

TOKEN = mint(application_data=b"order 17")
WRAPPED = wrap_token(TOKEN)
HEADER = TOKEN["header"]

Found = list[tuple[str, TokenRule]]


def inner(**members: Any) -> dict[str, Any]:
    return TOKEN | members


def header(**members: Any) -> dict[str, Any]:
    return TOKEN | {"header": HEADER | members}


def without(token: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in token.items() if name not in names}


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def point(x: int, y: int) -> str:
    start = base64.b64decode(HEADER["ephemeralPublicKey"])[:27]
    return b64(start + x.to_bytes(32) + y.to_bytes(32))


def square_root(value: int) -> int | None:
    """Return a square root modulo P, if there is one."""
    root = pow(value % P, (P + 1) // 4, P)
    return root if root * root % P == value % P else None


MANY_LEVELS = b"[" * 8000
JSON_TEXTS: list[tuple[str, bytes, TokenRule]] = [
    ("empty", b"", TokenRule.INVALID_JSON),
    ("white space", b" \n", TokenRule.INVALID_JSON),
    ("cut", json.dumps(TOKEN).encode()[:-1], TokenRule.INVALID_JSON),
    ("two texts", b"{}{}", TokenRule.INVALID_JSON),
    ("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf{}", TokenRule.INVALID_JSON),
    ("not a number", b'{"a":NaN}', TokenRule.INVALID_JSON),
    ("infinity", b'{"a":-Infinity}', TokenRule.INVALID_JSON),
    ("raw control character", b'{"a":"\x01"}', TokenRule.INVALID_JSON),
    ("single quotes", b"{'a':1}", TokenRule.INVALID_JSON),
    ("nested without end", MANY_LEVELS, TokenRule.INVALID_JSON),
    ("nested too deeply", MANY_LEVELS + b"]" * 8000, TokenRule.INVALID_JSON),
    ("not UTF-8", b'{"a":"\xff"}', TokenRule.NOT_UTF8),
    ("UTF-16", "{}".encode("utf-16"), TokenRule.NOT_UTF8),
    ("an encoded surrogate", b'{"a":"\xed\xa0\x80"}', TokenRule.NOT_UTF8),
    ("a string of the token", json.dumps(json.dumps(TOKEN)).encode(), TokenRule.WRONG_TYPE),
    ("an array", json.dumps([TOKEN]).encode(), TokenRule.WRONG_TYPE),
    ("a number", b"1", TokenRule.WRONG_TYPE),
    ("null", b"null", TokenRule.WRONG_TYPE),
    ("true", b"true", TokenRule.WRONG_TYPE),
    ("level 1", json.dumps({"token": WRAPPED, "billingContact": {}}).encode(), TokenRule.WRONG_LEVEL),
    ("two levels at once", json.dumps(WRAPPED | {"data": "AA=="}).encode(), TokenRule.AMBIGUOUS_LEVEL),
    ("too long", b" " * (MAX_TOKEN_BYTES + 1), TokenRule.TOO_LONG),
]

KEY = HEADER["ephemeralPublicKey"]
X = int.from_bytes(base64.b64decode(KEY)[27:59])
Y = int.from_bytes(base64.b64decode(KEY)[59:])
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

MEMBERS: list[tuple[str, dict[str, Any], str, TokenRule]] = [
    ("version missing", without(TOKEN, "version"), "version", TokenRule.REQUIRED),
    ("version a number", inner(version=1), "version", TokenRule.WRONG_TYPE),
    ("version null", inner(version=None), "version", TokenRule.WRONG_TYPE),
    ("version empty", inner(version=""), "version", TokenRule.UNSUPPORTED_VERSION),
    ("version in another case", inner(version="ec_v1"), "version", TokenRule.UNSUPPORTED_VERSION),
    ("version to come", inner(version="EC_v2"), "version", TokenRule.UNSUPPORTED_VERSION),
    ("version RSA", inner(version="RSA_v1"), "version", TokenRule.RSA_UNSUPPORTED),
    ("data missing", without(TOKEN, "data"), "data", TokenRule.REQUIRED),
    ("data an object", inner(data={}), "data", TokenRule.WRONG_TYPE),
    ("data empty", inner(data=""), "data", TokenRule.LENGTH),
    ("data only a tag", inner(data=b64(bytes(16))), "data", TokenRule.LENGTH),
    ("data without padding", inner(data=b64(bytes(17)).rstrip("=")), "data", TokenRule.BASE64),
    ("data with spare bits", inner(data=b64(bytes(17))[:-2] + "B="), "data", TokenRule.BASE64),
    ("data of the URL alphabet", inner(data="_-_-" * 8), "data", TokenRule.BASE64),
    ("data with a line break", inner(data=TOKEN["data"][:64] + "\n" + TOKEN["data"][64:]), "data", TokenRule.BASE64),
    ("data with a space", inner(data=TOKEN["data"] + " "), "data", TokenRule.BASE64),
    ("data padded twice", inner(data=b64(bytes(18)) + "===="), "data", TokenRule.BASE64),
    ("data not ASCII", inner(data="\u00e9" * 32), "data", TokenRule.BASE64),
    ("data a surrogate", inner(data="\ud800" * 32), "data", TokenRule.BASE64),
    ("signature missing", without(TOKEN, "signature"), "signature", TokenRule.REQUIRED),
    ("signature a list", inner(signature=[]), "signature", TokenRule.WRONG_TYPE),
    ("signature empty", inner(signature=""), "signature", TokenRule.LENGTH),
    ("signature no base64", inner(signature="!"), "signature", TokenRule.BASE64),
    ("signature no sequence", inner(signature=b64(b"\x31\x80")), "signature", TokenRule.NOT_CMS),
    ("signature too long", inner(signature=b64(b"\x30" * 8193)), "signature", TokenRule.LENGTH),
    ("header missing", without(TOKEN, "header"), "header", TokenRule.REQUIRED),
    ("header a string", inner(header=json.dumps(HEADER)), "header", TokenRule.WRONG_TYPE),
    ("header null", inner(header=None), "header", TokenRule.WRONG_TYPE),
    ("header a list", inner(header=[HEADER]), "header", TokenRule.WRONG_TYPE),
    ("key a number", header(ephemeralPublicKey=4), "header.ephemeralPublicKey", TokenRule.WRONG_TYPE),
    ("key no base64", header(ephemeralPublicKey="?"), "header.ephemeralPublicKey", TokenRule.BASE64),
    ("key too short", header(ephemeralPublicKey=b64(bytes(90))), "header.ephemeralPublicKey", TokenRule.LENGTH),
    ("key too long", header(ephemeralPublicKey=b64(bytes(92))), "header.ephemeralPublicKey", TokenRule.LENGTH),
    ("key of another kind", header(ephemeralPublicKey=b64(bytes(91))), "header.ephemeralPublicKey", TokenRule.NOT_P256),
    ("key off the curve", header(ephemeralPublicKey=point(X, Y ^ 1)), "header.ephemeralPublicKey", TokenRule.NOT_P256),
    ("key at the origin", header(ephemeralPublicKey=point(0, 0)), "header.ephemeralPublicKey", TokenRule.NOT_P256),
    ("hash a boolean", header(publicKeyHash=True), "header.publicKeyHash", TokenRule.WRONG_TYPE),
    ("hash no base64", header(publicKeyHash="\u0000"), "header.publicKeyHash", TokenRule.BASE64),
    ("hash too short", header(publicKeyHash=b64(bytes(31))), "header.publicKeyHash", TokenRule.LENGTH),
    ("hash too long", header(publicKeyHash=b64(bytes(33))), "header.publicKeyHash", TokenRule.LENGTH),
    ("id a number", header(transactionId=10**63), "header.transactionId", TokenRule.WRONG_TYPE),
    ("id empty", header(transactionId=""), "header.transactionId", TokenRule.LENGTH),
    ("id too short", header(transactionId="a" * 63), "header.transactionId", TokenRule.LENGTH),
    ("id too long", header(transactionId="a" * 66), "header.transactionId", TokenRule.LENGTH),
    ("id no hex", header(transactionId="g" * 64), "header.transactionId", TokenRule.HEX),
    ("id with spaces", header(transactionId="aa " * 32), "header.transactionId", TokenRule.HEX),
    ("id with a line break", header(transactionId="a" * 64 + "\n"), "header.transactionId", TokenRule.HEX),
    ("id of other digits", header(transactionId="\u0661" * 64), "header.transactionId", TokenRule.HEX),
    ("application data empty", header(applicationData=""), "header.applicationData", TokenRule.LENGTH),
    ("application data no hex", header(applicationData="x" * 64), "header.applicationData", TokenRule.HEX),
    *(
        (f"{name} missing", inner(header=without(HEADER, name)), f"header.{name}", TokenRule.REQUIRED)
        for name in ("ephemeralPublicKey", "publicKeyHash", "transactionId")
    ),
]

WRAPPERS: list[tuple[str, dict[str, Any], str, TokenRule]] = [
    ("inner a string", WRAPPED | {"paymentData": json.dumps(TOKEN)}, "paymentData", TokenRule.WRONG_TYPE),
    ("inner null", WRAPPED | {"paymentData": None}, "paymentData", TokenRule.WRONG_TYPE),
    ("inner a list", WRAPPED | {"paymentData": [TOKEN]}, "paymentData", TokenRule.WRONG_TYPE),
    ("id of another", WRAPPED | {"transactionIdentifier": "A" * 64}, "transactionIdentifier", TokenRule.MISMATCH),
    ("id a number", WRAPPED | {"transactionIdentifier": 1}, "transactionIdentifier", TokenRule.WRONG_TYPE),
    ("id no hex", WRAPPED | {"transactionIdentifier": "simulated"}, "transactionIdentifier", TokenRule.HEX),
    ("id too short", WRAPPED | {"transactionIdentifier": "AB"}, "transactionIdentifier", TokenRule.LENGTH),
]

TEXT = json.dumps(TOKEN, separators=(",", ":"))
HEADER_TEXT = json.dumps(HEADER, separators=(",", ":"))
REPEATED: list[tuple[str, str, Found]] = [
    ("in level 3", TEXT[:-1] + ',"data":"AA=="}', [("", TokenRule.DUPLICATE_MEMBER), ("data", TokenRule.LENGTH)]),
    ("written with an escape", TEXT[:-1] + ',"versi\\u006fn":"EC_v1"}', [("", TokenRule.DUPLICATE_MEMBER)]),
    (
        "in the header",
        TEXT.replace(HEADER_TEXT, HEADER_TEXT[:-1] + f',"transactionId":"{HEADER["transactionId"]}"}}'),
        [("header", TokenRule.DUPLICATE_MEMBER)],
    ),
    ("in an unknown member", TEXT[:-1] + ',"later":[{"a":1,"a":1}]}', [("", TokenRule.DUPLICATE_MEMBER)]),
    ("in the wrapper", f'{{"paymentData":{TEXT},"paymentData":{TEXT}}}', [("", TokenRule.DUPLICATE_MEMBER)]),
    (
        "in the wrapped level 3",
        f'{{"paymentData":{TEXT[:-1]},"version":"EC_v1"}}}}',
        [("paymentData", TokenRule.DUPLICATE_MEMBER)],
    ),
    (
        "in the wrapped header",
        '{"paymentData":' + TEXT.replace(HEADER_TEXT, HEADER_TEXT[:-1] + ',"a":1,"a":1}') + "}",
        [("paymentData.header", TokenRule.DUPLICATE_MEMBER)],
    ),
]
