import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.zuora.answer_body import AnswerBody, Form, read_body
from payorch_server.zuora.messages import Damage, HttpResponse

REFUSAL = '{"success": false, "processId": "P1", "reasons": [{"code": 53200020, "message": "n\u00fcx"}]}'
READ = {"success": False, "processId": "P1", "reasons": [{"code": 53200020, "message": "n\u00fcx"}]}


def read(body: bytes, content_type: str = "application/json", damage: Damage | None = None) -> AnswerBody:
    """Read the body of an answer."""
    return read_body(HttpResponse(400, {"content-type": content_type}, body, damage))


class TestRepairedBodies:
    """A body that is complete once it is repaired is read normally."""

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (REFUSAL.encode(), "application/json"),
            (b"\xef\xbb\xbf" + REFUSAL.encode(), "application/json"),
            (REFUSAL.encode("utf-16"), "application/json"),
            (REFUSAL.encode("utf-16-le"), "application/json"),
            (REFUSAL.encode("utf-16-be"), "application/json; charset=utf-16"),
            (b"\xfe\xff" + REFUSAL.encode("utf-16-be"), "application/json"),
            (REFUSAL.encode("utf-32"), "application/json"),
            (REFUSAL.encode("utf-32-be"), "application/json"),
            (REFUSAL.encode("latin-1"), "application/json;charset=ISO-8859-1"),
            (REFUSAL.encode("cp1252"), 'application/json; charset="windows-1252"'),
            (REFUSAL.encode(), "application/json; charset=iso-8859-1"),
            (REFUSAL.encode(), "text/html"),
            (REFUSAL.encode(), "application/json; charset=unicode_escape"),
            (b"\r\n " + REFUSAL.encode() + b"\n\0\0", "application/json"),
        ],
    )
    def test_say_what_was_written(self, body: bytes, content_type: str) -> None:
        """Marks, encodings and declared charsets are no part of the answer."""
        assert read(body, content_type) == AnswerBody(Form.OBJECT, READ)

    @pytest.mark.parametrize(
        ("body", "expected", "reason"),
        [
            (b'{"id": "pm9", "name": "Ann \\ud83d"}', {"id": "pm9", "name": "Ann \ufffd"}, "half a pair at the end"),
            (b'{"id": "pm9", "name": "\\ude00 x"}', {"id": "pm9", "name": "\ufffd x"}, "the other half"),
            (b'{"id": "pm9", "name": "\xed\xa0\xbd"}', {"id": "pm9", "name": "\ufffd"}, "half a pair in bytes"),
            (
                b'{"id": "pm9", "name": "\xed\xa0\xbd\xed\xb8\x80"}',
                {"id": "pm9", "name": "\U0001f600"},
                "both halves, each in three bytes",
            ),
            (b'{"id": "pm9", "name": "J\xfcrgen"}', {"id": "pm9", "name": "J\ufffdrgen"}, "Latin-1 undeclared"),
            (b'{"id": "pm9", "name": "a\nb\t"}', {"id": "pm9", "name": "a\nb\t"}, "control characters as they are"),
            (b'{"id": "pm9", "rate": NaN}', {"id": "pm9", "rate": None}, "a number that JSON does not have"),
            (b'{"id": "pm9", "a": 0.10, "x": "\\udc00"}', {"id": "pm9", "a": Decimal("0.10"), "x": "\ufffd"}, "exact"),
        ],
    )
    def test_keep_all_but_what_was_never_text(self, body: bytes, expected: Any, reason: str) -> None:
        """Other people's JSON writers cut names in the middle and escape too little."""
        found = read(body)

        assert found == AnswerBody(Form.OBJECT, expected), reason
        assert json.dumps(found.members, default=str, ensure_ascii=False).encode()

    @pytest.mark.parametrize("body", [b"", b" \r\n", b"<html>", b"\xef\xbb\xbf<p>", b"[1]", b"null", b'"x"', b"7"])
    def test_are_something_else_where_they_are_complete_and_no_object(self, body: bytes) -> None:
        """Pages and other values have no codes and no ids."""
        assert read(body) == AnswerBody(Form.OTHER)

    def test_are_something_else_where_they_are_plain_text(self) -> None:
        """Unless they claim to be JSON."""
        assert read(b"Bad Request", "text/plain").form is Form.OTHER
        assert read(b"Bad Request", "application/json").form is Form.BROKEN


class TestMembersThatOccurTwice:
    """Readers of JSON take the first or the last; with different values neither decides."""

    @pytest.mark.parametrize(
        ("body", "ids"),
        [
            ('{"success": false, "success": true, "id": "pm1"}', {"success": False, "id": "pm1"}),
            ('{"success": true, "success": false}', {"success": False}),
            ('{"success": true, "success": 1, "id": "pm1"}', {"id": "pm1"}),
            ('{"id": "pm1", "type": "card", "id": "pm2"}', {"id": "pm1"}),
            ('{"paymentId": "p1", "paymentId": null}', {"paymentId": "p1"}),
            ('{"paymentMethodId": "pm1", "x": {"id": 1}, "paymentMethodId": ""}', {"paymentMethodId": "pm1"}),
            ('{"reasons": [{"code": 53200020}], "reasons": []}', {}),
            ('{"errors": null, "errors": [{"code": "bad_request"}]}', {}),
            ('{"token": "a", "token": "b"}', {}),
            ('{"code": 53200020, "code": 53200060}', {}),
        ],
    )
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    def test_make_the_body_unreadable(self, body: str, ids: dict[str, Any], encoding: str) -> None:
        """What the answer means depends on the one that is believed."""
        assert read(body.encode(encoding)) == AnswerBody(Form.BROKEN, ids)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"id": "pm1", "id": "pm1"}',
            b'{"id": "pm1", "card": {"id": "c1", "id": "c2"}}',
            b'{"id": "pm1", "name": "a", "name": "b"}',
            b'{"id": "pm1", "note": "\\"id\\": \\"id\\""}',
            b'{"id": "pm1", "cards": [{"id": "c1"}, {"id": "c2"}]}',
        ],
    )
    def test_do_no_harm_where_nothing_depends_on_them(self, body: bytes) -> None:
        """Equal values, inner objects and members that decide nothing."""
        found = read(body)

        assert (found.form, found.members["id"]) == (Form.OBJECT, "pm1")


class TestBrokenBodies:
    """Nothing but ids is read of a body that is not complete."""

    @pytest.mark.parametrize("length", range(1, len(REFUSAL.encode())))
    def test_never_decide(self, length: int) -> None:
        """Wherever the text ends."""
        found = read(REFUSAL.encode()[:length])

        assert found.form is Form.BROKEN
        assert set(found.members) <= {"success", "processId"}
        assert found.members.get("processId") in {None, "P1"}

    @pytest.mark.parametrize("damage", Damage)
    def test_are_those_that_did_not_arrive_in_full(self, damage: Damage) -> None:
        """Even where what arrived looks complete."""
        assert read(REFUSAL.encode(), damage=damage) == AnswerBody(Form.BROKEN, {"success": False, "processId": "P1"})

    @pytest.mark.parametrize(
        ("body", "expected", "reason"),
        [
            (b'{"id":"pm9","type":"card","card":{"id":"no"},"x', {"id": "pm9"}, "of the outermost object alone"),
            (b'{"card":{"id":"no"},"list":[{"id":"no"}],"id":"pm9","x', {"id": "pm9"}, "after inner ones"),
            (b'{"paymentMethodId":"pm1","paymentId":"p', {"paymentMethodId": "pm1"}, "no id that is cut off"),
            (b'{"note":"\\"id\\":\\"no\\"","x', {}, "not in the text of another member"),
            (b'{"id":"a b","paymentId":"<x>","processId":"' + b"9" * 65 + b'","y', {}, "of the known shapes alone"),
            (b'{"id":7,"success":true,"x', {}, "no number, and no success"),
            (b'{"success":"False","id":"pm1","x', {"success": False, "id": "pm1"}, "a failure, also as text"),
            (b'[{"id":"no"},', {}, "no list"),
            ('{"paymentMethodId":"pm1","x'.encode("utf-16"), {"paymentMethodId": "pm1"}, "in any encoding"),
        ],
    )
    def test_show_their_ids(self, body: bytes, expected: Any, reason: str) -> None:
        """The id of what exists must not be lost with the rest."""
        assert read(body) == AnswerBody(Form.BROKEN, expected), reason

    @given(st.binary(max_size=80), st.sampled_from([None, *Damage]))
    def test_are_read_without_an_exception(self, body: bytes, damage: Damage | None) -> None:
        """Whatever arrives."""
        for prefix in (b"", b'{"id": "', b'{"a": "\\ud800'):
            assert read(prefix + body, damage=damage).form in Form

    @pytest.mark.parametrize("body", [b'{"a":' + b"[" * 100_000, b'{"a": 1e9999999999999999999}', b"{" * 100_000])
    def test_survive_what_no_reader_can_take(self, body: bytes) -> None:
        """Depth and digits end in no exception."""
        assert read(body).form is Form.BROKEN
