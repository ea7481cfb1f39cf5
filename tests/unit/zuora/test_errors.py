import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.attempt import UpstreamFacts
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import VERDICTS, Advice, Outcome, Reason
from payorch_server.model.secret import Secret
from payorch_server.zuora.answer_body import AnswerBody, Form, read_body
from payorch_server.zuora.errors import CATEGORIES, STATUSES, WORDS, classify, incomplete_answer
from payorch_server.zuora.messages import Damage, HttpResponse
from payorch_server.zuora.quotes import Quotes
from payorch_server.zuora.settings import DeclineSettings

FACTS = UpstreamFacts(zuora_request_id="r1")
DECLINE = DeclineSettings("53000060", "Transaction declined.")
DECLINED = {"success": False, "processId": "P", "reasons": [{"code": 53000060, "message": "Transaction declined.x"}]}


def error_of(status: int, body: Any, *, operation: str = "decryption", **headers: str) -> CallError | None:
    """Classify an answer as the client does."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = HttpResponse(status, named, raw)
    return classify(answer, read_body(answer), FACTS, operation=operation)


def reason_of(status: int, body: Any, **headers: str) -> Reason | None:
    """Name what an answer means."""
    error = error_of(status, body, **headers)
    return error and error.failure.reason


def refusal(*codes: Any, **more: Any) -> dict[str, Any]:
    """Make a v1 body."""
    return {"success": False, "reasons": [{"code": code, "message": "no"} for code in codes], **more}


class TestSuccess:
    """Success is what says so in full."""

    @pytest.mark.parametrize(
        ("status", "body", "reason"),
        [
            (200, {"token": "x"}, "sessions have no member success"),
            (200, {"success": True, "paymentMethodId": "x"}, "v1"),
            (201, {"id": "x", "type": "card"}, "Quickstart"),
            (200, {"success": True, "id": "x", "reasons": None}, "v1 may send the members of a refusal as null"),
            (200, {"success": True, "id": "x", "reasons": []}, "or empty"),
            (201, {"id": "x", "errors": []}, "so may Quickstart"),
            (200, {}, "what is missing is the parser's to notice"),
            (200, {"success": True, "message": "Created", "id": "x"}, "a message is no failure"),
        ],
    )
    def test_is_no_error(self, status: int, body: Any, reason: str) -> None:
        """Such an answer goes on to the parser."""
        assert reason_of(status, body) is None, reason


class TestV1:
    """Codes of six digits of resource and two of category."""

    @pytest.mark.parametrize(
        ("category", "expected"),
        [
            (10, Reason.UPSTREAM_PERMISSION_DENIED),
            (11, Reason.UPSTREAM_CREDENTIALS_REJECTED),
            (20, Reason.UPSTREAM_REQUEST_REFUSED),
            (21, Reason.UPSTREAM_REQUEST_REFUSED),
            (22, Reason.UPSTREAM_REQUEST_REFUSED),
            (23, Reason.UPSTREAM_REQUEST_REFUSED),
            (27, Reason.UPSTREAM_REQUEST_REFUSED),
            (30, Reason.UPSTREAM_RULE_BROKEN),
            (40, Reason.UPSTREAM_NOT_FOUND),
            (45, Reason.UPSTREAM_UNSUPPORTED),
            (50, Reason.UPSTREAM_LOCKED),
            (60, Reason.UPSTREAM_INTERNAL),
            (61, Reason.UPSTREAM_TEMPORARY),
            (70, Reason.UPSTREAM_THROTTLED),
            (90, Reason.UPSTREAM_REQUEST_REFUSED),
            (99, Reason.UPSTREAM_GATEWAY_FAILED),
        ],
    )
    @pytest.mark.parametrize(
        ("shape", "reason"),
        [
            (lambda category: 53200000 + category, "8 digits, a number"),
            (lambda category: f"532000{category}", "8 digits, a string"),
            (lambda category: category, "2 digits, a number"),
            (str, "2 digits, a string"),
        ],
    )
    def test_reads_every_category_in_every_form(self, category: int, expected: Reason, shape: Any, reason: str) -> None:
        """With status 200 the code alone decides, as it does before API version 2024-05-20."""
        assert reason_of(200, refusal(shape(category))) is expected, reason
        assert CATEGORIES[category] is expected

    def test_knows_no_other_category(self) -> None:
        """The table holds what the test above lists."""
        assert sorted(CATEGORIES) == [10, 11, 20, 21, 22, 23, 27, 30, 40, 45, 50, 60, 61, 70, 90, 99]

    @pytest.mark.parametrize(
        ("status", "body", "expected", "reason"),
        [
            (200, {"success": False}, Reason.UPSTREAM_CODE_UNKNOWN, "a refusal without a code"),
            (200, {"Success": False}, Reason.UPSTREAM_CODE_UNKNOWN, "the capitalised form"),
            (200, {"success": None, "Success": False}, Reason.UPSTREAM_CODE_UNKNOWN, "one of the two suffices"),
            (200, {"success": False, "reasons": None}, Reason.UPSTREAM_CODE_UNKNOWN, "reasons that are no list"),
            (200, {"success": False, "reasons": ["x", 1, None]}, Reason.UPSTREAM_CODE_UNKNOWN, "reasons that are odd"),
            (200, {"success": False, "reasons": [{"code": {}}]}, Reason.UPSTREAM_CODE_UNKNOWN, "a code that is odd"),
            (200, {"success": False, "reasons": [{"code": True}]}, Reason.UPSTREAM_CODE_UNKNOWN, "true is not 1"),
            (200, {"success": False, "reasons": [{"code": 70.0}]}, Reason.UPSTREAM_CODE_UNKNOWN, "70.0 is no code"),
            (200, refusal("71012514"), Reason.UPSTREAM_CODE_UNKNOWN, "7xxxxxxx is another catalogue"),
            (400, refusal("71012514"), Reason.UPSTREAM_REQUEST_REFUSED, "so the status decides if it can"),
            (200, refusal("53200098"), Reason.UPSTREAM_CODE_UNKNOWN, "a category that is not documented"),
            (400, refusal("53200098"), Reason.UPSTREAM_REQUEST_REFUSED, "with such a category the status decides"),
            (200, refusal("532000"), Reason.UPSTREAM_CODE_UNKNOWN, "6 digits are no code"),
            (200, refusal("\u0667\u0660"), Reason.UPSTREAM_CODE_UNKNOWN, "digits of another script"),
            (400, {"reasons": [{"code": 50000030}]}, Reason.UPSTREAM_RULE_BROKEN, "reasons without success"),
            (200, {"reasons": [{"code": 50000030}]}, Reason.UPSTREAM_RULE_BROKEN, "the same with status 200"),
            (500, {"reasons": [{"code": "SystemError"}]}, Reason.UPSTREAM_INTERNAL, "v1's 500"),
            (429, {"reasons": [{"code": 70, "message": "x"}]}, Reason.UPSTREAM_THROTTLED, "the rate limit's 429"),
            (
                409,
                refusal(53200050),
                Reason.UPSTREAM_IN_PROGRESS,
                "a lock's 409 cannot be told from a running first send's",
            ),
            (409, {}, Reason.UPSTREAM_IN_PROGRESS, "409 of a first send that still runs"),
            (422, refusal(53200020), Reason.UPSTREAM_KEY_CONFLICT, "422 is about the key, whatever the code"),
            (422, {}, Reason.UPSTREAM_KEY_CONFLICT, "also without a code"),
            (
                200,
                {"Success": False, "Errors": [{"Code": "53200040", "Message": "x"}]},
                Reason.UPSTREAM_NOT_FOUND,
                "CRUD's capitals",
            ),
        ],
    )
    def test_reads_every_shape(self, status: int, body: Any, expected: Reason, reason: str) -> None:
        """Zuora's bodies differ by operation, version and layer."""
        assert reason_of(status, body) is expected, reason

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ({"message": "Authentication error"}, "the gateway layer"),
            ({"message": "Failed to get user info"}, "the gateway layer's other text"),
            (refusal(90000011), "the API itself"),
            (b"", "nothing"),
            (b"<html>401</html>", "a proxy"),
            ({"type": "unauthorized", "errors": [{"code": "authorization_token_expired"}]}, "Quickstart"),
        ],
    )
    def test_reads_every_401_as_a_refused_token(self, body: Any, reason: str) -> None:
        """The client then takes a new token, once."""
        assert reason_of(401, body) is Reason.UPSTREAM_CREDENTIALS_REJECTED, reason


class TestQuickstart:
    """Words in place of numbers."""

    @pytest.mark.parametrize(("word", "expected"), sorted(WORDS.items()), ids=sorted(WORDS))
    def test_reads_every_word_nested_and_flat(self, word: str, expected: Reason) -> None:
        """The guide describes a flat body, the pages show a nested one."""
        nested = {"type": "something_new", "errors": [{"code": word, "parameter": "p", "message": "m"}]}
        flat = {"type": word, "code": "something_new", "message": "m"}

        assert (reason_of(400, nested), reason_of(400, flat)) == (expected, expected)

    @pytest.mark.parametrize(
        ("word", "expected"),
        [
            ("bad_request", Reason.UPSTREAM_REQUEST_REFUSED),
            ("unauthorized", Reason.UPSTREAM_CREDENTIALS_REJECTED),
            ("authorization_token_expired", Reason.UPSTREAM_CREDENTIALS_REJECTED),
            ("request_failed", Reason.UPSTREAM_RULE_BROKEN),
            ("card_error", Reason.PAYMENT_DECLINED),
            ("forbidden", Reason.UPSTREAM_PERMISSION_DENIED),
            ("not_found", Reason.UPSTREAM_NOT_FOUND),
            ("resource_not_found", Reason.UPSTREAM_NOT_FOUND),
            ("method_not_allowed", Reason.UPSTREAM_UNSUPPORTED),
            ("request_timeout", Reason.UPSTREAM_NO_ANSWER),
            ("conflict", Reason.UPSTREAM_IN_PROGRESS),
            ("locked", Reason.UPSTREAM_IN_PROGRESS),
            ("too_many_requests", Reason.UPSTREAM_THROTTLED),
            ("internal_server_error", Reason.UPSTREAM_INTERNAL),
            ("payment_gateway_error", Reason.UPSTREAM_GATEWAY_FAILED),
            ("payment_gateway_unavailable", Reason.UPSTREAM_GATEWAY_FAILED),
            ("payment_gateway_timeout", Reason.UPSTREAM_GATEWAY_FAILED),
            ("bad_gateway", Reason.UPSTREAM_EDGE_FAILED),
            ("service_unavailable", Reason.UPSTREAM_EDGE_FAILED),
            ("gateway_timeout", Reason.UPSTREAM_EDGE_FAILED),
            ("SystemError", Reason.UPSTREAM_INTERNAL),
        ],
    )
    def test_gives_each_word_its_meaning(self, word: str, expected: Reason) -> None:
        """What the pages document, word for word."""
        assert WORDS[word] is expected

    @pytest.mark.parametrize(
        ("status", "kind", "code", "expected", "reason"),
        [
            (402, "request_failed", "card_error", Reason.PAYMENT_DECLINED, "a decline is not a broken rule"),
            (402, "request_failed", "invalid_request", Reason.UPSTREAM_RULE_BROKEN, "another 402"),
            (400, "bad_request", "resource_not_found", Reason.UPSTREAM_NOT_FOUND, "an id inside the body"),
            (400, "bad_request", "invalid_parameter", Reason.UPSTREAM_REQUEST_REFUSED, "a value"),
            (500, "payment_gateway_error", "card_error", Reason.UPSTREAM_GATEWAY_FAILED, "the gateway may have acted"),
            (503, "payment_gateway_unavailable", "x", Reason.UPSTREAM_GATEWAY_FAILED, "behind Zuora, not before it"),
            (503, "service_unavailable", "x", Reason.UPSTREAM_EDGE_FAILED, "before Zuora"),
            (422, "conflict", "conflict", Reason.UPSTREAM_KEY_CONFLICT, "a key conflict says more than its word"),
            (423, "locked", "in_use", Reason.UPSTREAM_IN_PROGRESS, "locked by a first send"),
        ],
    )
    def test_weighs_type_and_code(self, status: int, kind: str, code: str, expected: Reason, reason: str) -> None:
        """The code is more precise where both allow the same."""
        body = {"type": kind, "errors": [{"code": code, "message": "m"}], "retryable": True}

        assert reason_of(status, body) is expected, reason


class TestAnIdBesideErrors:
    """An answer that creates and fails contradicts itself: what it names may exist."""

    @pytest.mark.parametrize("status", [200, 201])
    @pytest.mark.parametrize(
        "errors",
        [
            {"errors": [{"code": "bad_request", "message": "no"}]},
            {"errors": [{"code": "card_error", "message": "no"}], "type": "card"},
            {"errors": [{"code": "no word of Zuora's"}]},
            {"reasons": [{"code": 53200050, "message": "locked"}]},
        ],
        ids=str,
    )
    def test_is_kept(self, status: int, errors: dict[str, Any]) -> None:
        """The caller looks it up."""
        error = error_of(status, {"id": "pm1", **errors}, operation="payment_methods")

        assert error is not None
        assert error.failure.reason is Reason.UPSTREAM_ANSWER_UNREADABLE
        assert error.failure.evidence.payment_method_id == "pm1"

    def test_is_no_method_beside_another_status(self) -> None:
        """Edges and errors have ids of their own."""
        error = error_of(400, {"id": "e1", "errors": [{"code": "bad_request"}]}, operation="payment_methods")

        assert error is not None
        assert error.failure.reason is Reason.UPSTREAM_REQUEST_REFUSED
        assert error.failure.evidence.payment_method_id == ""

    def test_is_no_method_of_a_session(self) -> None:
        """A session creates none."""
        error = error_of(200, {"id": "s1", "errors": [{"code": "bad_request"}]}, operation="sessions")

        assert error is not None
        assert error.failure.evidence.payment_method_id == ""


class TestStatuses:
    """A status speaks when the body says nothing."""

    @pytest.mark.parametrize("body", [b"", b"<html>Bad</html>", b"[]", b"null", b"Bad Request", b'"text"'])
    @pytest.mark.parametrize(("status", "expected"), sorted(STATUSES.items()))
    def test_decides_beside_a_complete_body_without_codes(self, status: int, expected: Reason, body: bytes) -> None:
        """HTML and nothing come from proxies."""
        assert reason_of(status, body) is expected

    @pytest.mark.parametrize("body", [b'{"succ', b"\xff\xff\x00", b"\x1b\x03\x80\xff", b"[1, 2", b'"half'])
    @pytest.mark.parametrize(("status", "expected"), sorted(STATUSES.items()))
    def test_refuses_nothing_beside_a_broken_body(self, status: int, expected: Reason, body: bytes) -> None:
        """The part that is lost could say that something happened."""
        refuses = VERDICTS[expected].outcome is Outcome.REFUSED

        assert reason_of(status, body) is (Reason.UPSTREAM_ANSWER_UNREADABLE if refuses else expected)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
    @pytest.mark.parametrize("rest", ["", ', "reasons": [{"co', ', "paymentId": "p1", "x": {"id": "no"'])
    def test_never_hides_a_method_that_a_broken_body_names(self, status: int, rest: str) -> None:
        """What exists is shown, and its call is in doubt."""
        error = error_of(status, f'{{"success": false, "processId": "P1", "paymentMethodId": "pm1"{rest}'.encode())

        assert error is not None
        assert error.failure.reason is Reason.UPSTREAM_ANSWER_UNREADABLE
        assert error.failure.evidence.payment_method_id == "pm1"
        assert error.failure.evidence.payment_id == ("p1" if "p1" in rest else "")

    @pytest.mark.parametrize(
        ("status", "expected"),
        [
            (202, Reason.UPSTREAM_CODE_UNKNOWN),
            (300, Reason.UPSTREAM_CODE_UNKNOWN),
            (301, Reason.UPSTREAM_CODE_UNKNOWN),
            (302, Reason.UPSTREAM_CODE_UNKNOWN),
            (304, Reason.UPSTREAM_CODE_UNKNOWN),
            (307, Reason.UPSTREAM_CODE_UNKNOWN),
            (402, Reason.UPSTREAM_CODE_UNKNOWN),
            (418, Reason.UPSTREAM_EDGE_FAILED),
            (499, Reason.UPSTREAM_EDGE_FAILED),
            (501, Reason.UPSTREAM_CODE_UNKNOWN),
            (505, Reason.UPSTREAM_CODE_UNKNOWN),
            (509, Reason.UPSTREAM_EDGE_FAILED),
            (511, Reason.UPSTREAM_CODE_UNKNOWN),
            (520, Reason.UPSTREAM_EDGE_FAILED),
            (530, Reason.UPSTREAM_EDGE_FAILED),
            (599, Reason.UPSTREAM_EDGE_FAILED),
            (999, Reason.UPSTREAM_CODE_UNKNOWN),
        ],
    )
    @pytest.mark.parametrize("body", [b"", b'{"id": "x"}'])
    def test_never_takes_an_odd_status_for_success(self, status: int, expected: Reason, body: bytes) -> None:
        """A redirect is not followed, and a 202 promises work that nobody would report."""
        assert reason_of(status, body) is expected

    @pytest.mark.parametrize("status", range(400, 600))
    @pytest.mark.parametrize("body", [b"", b"<html></html>", b"{}", b'{"message": "x"}', b'{"code": "client_closed"}'])
    def test_calls_nothing_refused_that_may_have_been_executed(self, status: int, body: bytes) -> None:
        """Only statuses that are answered before anything executes refuse without a code of Zuora's."""
        before = {400, 404, 405, 406, 411, 413, 414, 415, 417, 421, 425, 426, 428, 431, 451}
        error = error_of(status, body)

        assert error is not None
        refused_or_not_sent = error.verdict.outcome is not Outcome.UNKNOWN
        assert (status in before | {401, 403, 429}) is refused_or_not_sent

    @pytest.mark.parametrize("status", [402, 418, 444, 460, 494, 499])
    def test_believes_a_code_of_zuoras_whatever_the_status(self, status: int) -> None:
        """Zuora wrote that answer."""
        assert reason_of(status, refusal(53200020)) is Reason.UPSTREAM_REQUEST_REFUSED

    @pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"id": "x', b"[1]"])
    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_looks_up_a_success_that_cannot_be_read(self, status: int, body: bytes) -> None:
        """It was executed, and its answer is stored: resending cannot settle it."""
        error = error_of(status, body)

        assert error is not None
        assert error.failure.reason is Reason.UPSTREAM_ANSWER_UNREADABLE
        assert (error.verdict.outcome, error.verdict.advice) == (Outcome.UNKNOWN, Advice.LOOK_UP)


class TestSeveralReasons:
    """All are read, and the one that allows least wins."""

    @pytest.mark.parametrize(
        ("status", "codes", "expected", "reason"),
        [
            (400, [53200020, 53200030], Reason.UPSTREAM_REQUEST_REFUSED, "equals: the first"),
            (400, [53200030, 53200020], Reason.UPSTREAM_RULE_BROKEN, "equals: the first, the other way round"),
            (400, [53200070, 53200030], Reason.UPSTREAM_RULE_BROKEN, "a refusal beside a limit"),
            (400, [53200061, 53200030], Reason.UPSTREAM_RULE_BROKEN, "a lasting refusal beside a temporary one"),
            (
                200,
                [53200098, 53200030],
                Reason.UPSTREAM_CODE_UNKNOWN,
                "an unknown category beside a refusal leaves it open",
            ),
            (500, [53200061, 53200099], Reason.UPSTREAM_GATEWAY_FAILED, "the gateway may have acted"),
            (500, [53200060, 53200050], Reason.UPSTREAM_INTERNAL, "an internal fault beside a lock"),
            (401, [90000011, 53200060], Reason.UPSTREAM_INTERNAL, "no new token after an internal fault"),
            (502, [53200030], Reason.UPSTREAM_EDGE_FAILED, "an edge status beside a refusal leaves it open"),
            (504, [53200061], Reason.UPSTREAM_EDGE_FAILED, "so does a gateway timeout beside a temporary fault"),
            (503, [53200070], Reason.UPSTREAM_EDGE_FAILED, "and an unavailable service beside a limit"),
            (408, [53200030], Reason.UPSTREAM_NO_ANSWER, "and a timeout"),
            (520, [53200030], Reason.UPSTREAM_EDGE_FAILED, "and a status of an edge's own"),
        ],
    )
    def test_lets_the_least_permissive_win(self, status: int, codes: list[Any], expected: Reason, reason: str) -> None:
        """Whoever reads only the first reason retries what must not be retried."""
        assert reason_of(status, refusal(*codes)) is expected, reason

    def test_never_says_refused_beside_a_word_that_leaves_it_open(self) -> None:
        """REFUSED lets a caller send a new request id; with a first send still running that would execute twice."""
        body = {"type": "bad_request", "errors": [{"code": "invalid_parameter"}, {"code": "conflict"}]}

        error = error_of(409, body)

        assert error is not None
        assert (error.verdict.outcome, error.verdict.advice) == (Outcome.UNKNOWN, Advice.RESEND_SAME_REQUEST_ID)


class TestSessionCodes:
    """Sessions have a family of codes that begins with 7."""

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("71012540", Reason.UPSTREAM_NOT_FOUND),
            ("71012514", Reason.UPSTREAM_CODE_UNKNOWN),
            ("70002070", Reason.UPSTREAM_THROTTLED),
            ("71012560", Reason.UPSTREAM_INTERNAL),
            ("53200020", Reason.UPSTREAM_REQUEST_REFUSED),
        ],
    )
    def test_have_the_same_categories(self, code: str, expected: Reason) -> None:
        """A refusal with status 200 is a refusal."""
        answer = HttpResponse(200, {}, json.dumps(refusal(code)).encode())

        error = classify(answer, read_body(answer), FACTS, operation="sessions")

        assert error is not None
        assert error.failure.reason is expected

    def test_are_not_known_elsewhere(self) -> None:
        """There the digits belong to another product, and money may have moved."""
        assert reason_of(200, refusal("71012540")) is Reason.UPSTREAM_CODE_UNKNOWN


class TestConfiguredDeclines:
    """A decline that Zuora reports as an internal fault, where the tenant's operator has named it."""

    def test_are_none_by_default(self) -> None:
        """By Zuora's documents the outcome is unknown."""
        assert reason_of(200, DECLINED) is Reason.UPSTREAM_INTERNAL

    @pytest.mark.parametrize("status", [200, 400, 402, 500])
    def test_are_declined_payments(self, status: int) -> None:
        """Code and beginning of the message both agree."""
        assert _declined(status, DECLINED) is Reason.PAYMENT_DECLINED

    @pytest.mark.parametrize(
        ("status", "changes", "reason"),
        [
            (409, {}, "a status that stays in doubt"),
            (502, {}, "an edge's status"),
            (520, {}, "another of an edge"),
            (499, {}, "a status that no failure of Zuora's has"),
            (200, {"paymentMethodId": "pm1"}, "a method exists"),
            (200, {"paymentId": "p1"}, "a payment exists"),
            (200, {"id": "pm1"}, "a method of v1 exists"),
            (200, {"success": True}, "it contradicts itself"),
            (200, {"success": None}, "it does not say that it failed"),
            (200, {"code": 53000060, "message": "Transaction declined."}, "a second code, though the same"),
            (
                200,
                {"reasons": [*DECLINED["reasons"], {"code": 53200030, "message": "no"}]},  # type: ignore[misc]  # a list
                "a second code",
            ),
            (200, {"reasons": [{"code": 53000060, "message": "transaction declined."}]}, "another message"),
            (200, {"reasons": [{"code": 53000060, "message": "x Transaction declined."}]}, "not at its beginning"),
            (200, {"reasons": [{"code": 53000061, "message": "Transaction declined."}]}, "another code"),
            (200, {"reasons": [{"code": 53000099, "message": "Transaction declined."}]}, "a code of the gateway"),
        ],
    )
    def test_need_all_that_speaks_for_them(self, status: int, changes: dict[str, Any], reason: str) -> None:
        """Whatever speaks against a decline wins."""
        assert _declined(status, DECLINED | changes) is not Reason.PAYMENT_DECLINED, reason

    def test_need_a_whole_body(self) -> None:
        """What is lost could be an id."""
        raw = json.dumps(DECLINED).encode()
        answer = HttpResponse(200, {}, raw, Damage.CUT)

        error = classify(answer, read_body(answer), FACTS, operation="decryption", declines=(DECLINE,))

        assert error is not None
        assert error.verdict.outcome is Outcome.UNKNOWN


def _declined(status: int, body: dict[str, Any]) -> Reason:
    answer = HttpResponse(status, {}, json.dumps(body).encode())
    error = classify(answer, read_body(answer), FACTS, operation="decryption", declines=(DECLINE,))
    assert error is not None
    return error.failure.reason


class TestOddForms:
    """Failures as other layers write them."""

    @pytest.mark.parametrize("success", ["false", "False", False])
    def test_are_failures_in_text_too(self, success: Any) -> None:
        """A failure without a code is an unknown one, not a success that lacks something."""
        assert reason_of(200, {"success": success}) is Reason.UPSTREAM_CODE_UNKNOWN
        assert reason_of(200, {"success": success, "id": "pm1"}) is Reason.PAYMENT_REFUSED_METHOD_CREATED

    def test_are_faults_of_the_older_interface(self) -> None:
        """Its text reaches the operator."""
        error = error_of(200, {"faultcode": "fns:INVALID_VALUE", "faultstring": "no such account"})

        assert error is not None
        assert error.failure.reason is Reason.UPSTREAM_CODE_UNKNOWN
        assert "no such account" in error.failure.detail

    @pytest.mark.parametrize("code", ["53200020.0", "5.320002E7"])
    def test_are_codes_written_as_fractions(self, code: str) -> None:
        """Other people's JSON writers know one kind of number."""
        body = f'{{"success": false, "reasons": [{{"code": {code}, "message": "no"}}]}}'.encode()

        assert reason_of(200, body) is Reason.UPSTREAM_REQUEST_REFUSED

    @pytest.mark.parametrize("status", [200, 400, 401, 429])
    def test_are_payments_beside_a_refusal(self, status: int) -> None:
        """What has a payment is not refused, whatever the code says."""
        error = error_of(status, refusal(53200030, paymentId="p1"))

        assert error is not None
        assert (error.verdict.outcome, error.failure.evidence.payment_id) == (Outcome.UNKNOWN, "p1")


class TestPartial:
    """A refusal that names a payment method created one."""

    @pytest.mark.parametrize(
        ("status", "codes", "reason"),
        [
            (200, [53200030], "a version before 2024-05-20"),
            (400, [53200030], "a newer one"),
            (500, [53200060], "a fault"),
        ],
    )
    def test_carries_the_ids_that_exist(self, status: int, codes: list[int], reason: str) -> None:
        """The caller must look at them before anything else."""
        error = error_of(status, refusal(*codes, paymentMethodId="pm1", paymentId="p1"))

        assert error is not None, reason
        assert error.failure.reason is Reason.PAYMENT_REFUSED_METHOD_CREATED
        assert (error.failure.evidence.payment_method_id, error.failure.evidence.payment_id) == ("pm1", "p1")
        assert error.verdict.outcome is Outcome.PARTIAL

    def test_knows_the_method_by_the_id_of_v1(self) -> None:
        """A refusal of v1 names what it created as a success does."""
        error = error_of(200, refusal(53200030, id="pm1"))

        assert error is not None
        assert (error.verdict.outcome, error.failure.evidence.payment_method_id) == (Outcome.PARTIAL, "pm1")


class TestDoubt:
    """What is not understood makes nothing more certain."""

    @pytest.mark.parametrize("success", [None, 0, 1, "no", "0", "", [], {}])
    def test_reads_no_success_in_what_is_not_true(self, success: object) -> None:
        """Nor a refusal."""
        error = error_of(200, {"success": success, "paymentMethodId": "pm1", "paymentId": "p1"})

        assert error is not None
        assert error.verdict.outcome in {Outcome.UNKNOWN, Outcome.PARTIAL}
        assert error.failure.evidence.payment_id == "p1"

    @pytest.mark.parametrize("success", [True, "true", "True "])
    def test_reads_success_in_what_is_true(self, success: object) -> None:
        """Some writers quote it."""
        assert reason_of(200, {"success": success, "paymentMethodId": "pm1"}) is None

    @pytest.mark.parametrize("code", ["TRANSACTION_TIMEOUT", "gateway_busy", 70002020, "5320002", "53200020x"])
    def test_refuses_nothing_where_a_second_code_is_not_known(self, code: object) -> None:
        """It may say that something happened, whichever comes first."""
        for codes in ((53200020, code), (code, 53200020)):
            assert reason_of(200, refusal(*codes)) is Reason.UPSTREAM_CODE_UNKNOWN


class TestEvidence:
    """What operators and callers learn besides the reason."""

    @pytest.mark.parametrize(
        ("header", "expected", "reason"),
        [
            ("120", 120.0, "seconds"),
            ("0", 0.0, "at once"),
            ("9" * 400, 86_400.0, "more than any clock holds is cut to a day"),
            ("120.0", 120.0, "as some writers write numbers"),
            ("Wed, 21 Oct 2026 07:28:00 GMT", 90.0, "a date, by the clock of its own Date"),
            ("Wed, 21 Oct 2026 07:20:00 GMT", 0.0, "a date that has passed"),
            ("Wed, 21 Oct 9999 07:20:00 GMT", 86_400.0, "more than any clock holds is cut to a day"),
            ("tomorrow", None, "no date"),
            ("-5", None, "a negative number"),
            ("1.5", None, "a fraction"),
            ("\u0661", None, "a digit of another script"),
            ("", None, "nothing"),
        ],
    )
    def test_reads_retry_after(self, header: str, expected: float | None, reason: str) -> None:
        """Only what is certain is passed on."""
        error = error_of(429, {}, retry_after=header, date="Wed, 21 Oct 2026 07:26:30 GMT")

        assert error is not None
        assert error.failure.evidence.retry_after_s == expected, reason

    def test_needs_a_date_beside_a_retry_after_that_is_one(self) -> None:
        """Our own clock may differ."""
        error = error_of(503, {}, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")

        assert error is not None
        assert error.failure.evidence.retry_after_s is None

    def test_keeps_ten_short_codes(self) -> None:
        """A long answer must not become a long error, and what is no code is not shown."""
        error = error_of(400, refusal("x" * 41, *[f"{index:02}" for index in range(12)]))

        assert error is not None
        codes = error.failure.evidence.zuora_codes
        assert codes == ("[masked]", *[f"{index:02}" for index in range(9)])

    @pytest.mark.parametrize(
        ("status", "headers", "expected"),
        [
            (429, {"ratelimit_reset": "30"}, 30.0),
            (429, {"ratelimit_reset": "30", "retry_after": "5"}, 5.0),
            (503, {"ratelimit_reset": "30"}, None),
        ],
    )
    def test_waits_for_the_end_of_the_window_on_a_429_alone(
        self, status: int, headers: dict[str, str], expected: float | None
    ) -> None:
        """Every answer tells when the window ends; only a 429 is about it."""
        error = error_of(status, {}, **headers)

        assert error is not None
        assert error.failure.evidence.retry_after_s == expected

    @pytest.mark.parametrize("body", [refusal("", 53200020), refusal(53200020, type="CreditCard")])
    def test_holds_the_codes_and_nothing_else(self, body: dict[str, Any]) -> None:
        """An empty code, or the type of a payment method, would look like one."""
        error = error_of(400, body)

        assert error is not None
        assert error.failure.evidence.zuora_codes == ("53200020",)

    @pytest.mark.parametrize(
        ("body", "expected", "reason"),
        [
            ({"message": "Authentication error"}, "Authentication error", "a message alone"),
            ({"code": "x", "message": "m"}, "x m", "a code beside it"),
            ({"errors": [{"code": "x", "message": "m"}]}, "x m", "neither"),
            ({"message": "again", **refusal(53200020)}, "53200020 no", "reasons say it already"),
            ({"code": "x", "message": "m", **refusal(53200020)}, "53200020 no; x m", "a code of its own adds to them"),
        ],
    )
    def test_keeps_the_texts_of_the_body_itself(self, body: dict[str, Any], expected: str, reason: str) -> None:
        """Each layer of Zuora writes its text elsewhere; operators read all of them."""
        error = error_of(401, body)

        assert error is not None
        assert error.failure.detail == f"status 401: {expected}", reason

    @pytest.mark.parametrize(
        "number", ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "371449635398431", "0" * 30]
    )
    def test_takes_long_numbers_out_of_texts(self, number: str) -> None:
        """Gateways repeat card and account numbers in their messages."""
        body = {"success": False, "reasons": [{"code": 53200030, "message": f"Card {number} declined."}]}

        error = error_of(400, body)

        assert error is not None
        assert error.failure.detail in {
            "status 400: 53200030 Card [number] declined.",
            "status 400: 53200030 Card [scrubbed] declined.",
        }

    def test_limits_the_private_text(self) -> None:
        """A log line stays a line."""
        error = error_of(400, {"success": False, "reasons": [{"code": 1, "message": "x" * 5000}]})

        assert error is not None
        assert len(error.failure.detail) == 400

    @pytest.mark.parametrize(
        ("status", "body"), [(500, b""), (400, b"{}"), (200, b""), (200, b"<html>"), (200, b"{"), (400, b"[")]
    )
    def test_passes_the_facts_on(self, status: int, body: bytes) -> None:
        """Ids of the call travel with its error, whatever can be read of the answer."""
        error = error_of(status, body)

        assert error is not None
        assert error.failure.facts is FACTS
        assert incomplete_answer("a token", FACTS).failure.facts is FACTS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
CODES = st.sampled_from([*WORDS, *(str(53200000 + one) for one in CATEGORIES), "71012514", ""]) | JSON
LISTED = st.lists(st.fixed_dictionaries({}, optional={"code": CODES, "message": JSON}) | JSON, max_size=4) | JSON
BODIES = st.fixed_dictionaries(
    {},
    optional={
        name: LISTED if name in {"reasons", "errors", "Errors"} else CODES | JSON
        for name in ("success", "Success", "reasons", "errors", "Errors", "type", "code", "message", "paymentMethodId")
    },
)
STATUS = st.integers(100, 999) | st.sampled_from([200, 201, 202, 400, 401, 409, 422, 429, 500, 502, 503])


class TestAnyAnswer:
    """Whatever arrives is told apart."""

    @given(STATUS, BODIES | JSON, st.sampled_from(["success", "Success"]))
    def test_is_never_taken_for_success_when_it_says_failure(self, status: int, body: Any, member: str) -> None:
        """`success: false` is a failure in every company and with every status."""
        failed = {**body, member: False} if isinstance(body, dict) else {member: False}

        assert error_of(status, failed) is not None

    @given(STATUS, st.binary(max_size=60) | JSON.map(lambda body: json.dumps(body).encode()))
    def test_is_classified_without_an_exception(self, status: int, body: bytes) -> None:
        """A classifier that raises would turn a known outcome into a defect."""
        error = error_of(status, body)

        if not 200 <= status < 300 or status == 202:
            assert error is not None

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"a":' + b"[" * 100_000, "nesting deeper than the interpreter's stack"),
            (b'{"a": 1e9999999999999999999}', "a number beyond Decimal's range"),
            (b'{"a": ' + b"9" * 10_000 + b"}", "a number longer than Python converts"),
            (b'{"success": false, "reasons": [{"code": 1e999999999}]}', "a code that is a gigabyte of digits"),
            (b'{"success": false, "reasons": [{"code": ' + b"9" * 4000 + b"}]}", "a code of thousands of digits"),
        ],
    )
    def test_survives_hostile_numbers(self, body: bytes, reason: str) -> None:
        """Nothing of the kind may end in an exception or in a gigabyte of text."""
        error = error_of(500, body)

        assert error is not None, reason
        assert error.failure.reason is Reason.UPSTREAM_INTERNAL
        assert len(error.failure.detail) <= 400


class TestPrivateTexts:
    """What operators may read of Zuora's words."""

    @pytest.mark.parametrize(
        "secret",
        ["DE89370400440532013000", "4111 1111 1111 1111", "card4111111111111111", "4111.1111.1111.1111", "jane@x.org"],
    )
    def test_hold_no_account_and_no_address(self, secret: str) -> None:
        """Zuora may quote the request."""
        error = error_of(
            400, {"success": False, "reasons": [{"code": 53000020, "message": f"bad value {secret} here"}]}
        )

        assert secret not in error.failure.detail
        assert "53000020 bad value" in error.failure.detail


class TestWordsThatWereSent:
    """Zuora may quote the request in the text of a refusal."""

    @pytest.mark.parametrize(
        "text",
        ["Jane Public is no name", "no name: 'JANE'", "JANE.PUBLIC", "code 123 is wrong", "in 2039 or never"],
    )
    def test_are_masked_in_what_is_told(self, text: str) -> None:
        """By words, whatever stands around them; Zuora's own words stay."""
        body = {"cardHolderInfo": {"name": Secret("Jane Q Public")}, "card": {"code": Secret("123"), "y": Secret(2039)}}
        payload = {"success": False, "reasons": [{"code": 53000020, "message": f"Invalid value: {text}"}]}

        error = classify(
            HttpResponse(200, {}, b""), AnswerBody(Form.OBJECT, payload), UpstreamFacts(), quotes=Quotes(body)
        )

        assert error is not None
        told = error.failure.detail.casefold()
        assert "53000020 invalid value: " in told
        assert "[masked]" in told
        assert not [word for word in ("jane", "public", "123", "2039") if word in told]

    def test_are_those_of_a_wallets_token_too(self) -> None:
        """A part of it suffices."""
        body = {"paymentToken": Secret(msgspec.Raw(b'{"header":{"data":["abcdefgh+ijklmnop"]}}'))}
        payload = {"success": False, "reasons": [{"code": "ijklmnop", "message": "bad data in the header: bcdefg"}]}

        error = classify(
            HttpResponse(200, {}, b""), AnswerBody(Form.OBJECT, payload), UpstreamFacts(), quotes=Quotes(body)
        )

        assert error is not None
        assert ("[masked]",) == error.failure.evidence.zuora_codes
        assert "ijklmnop" not in error.failure.detail
        assert "bad data in the header: [masked]" in error.failure.detail
