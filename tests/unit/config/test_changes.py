from typing import Any

import pytest
from payorch_server.config import Document, change_problems, namespace_problems
from payorch_server.config.changes import RELOADABLE

SHOP = {"caller": "jwt:shop", "namespace": "shop"}
SHOPS = {"caller": "jwt:shops/*", "namespace": "shops"}
TILL = {"caller": "jwt:shops/till", "namespace": "shops"}


def document(*callers: dict[str, str], **sections: Any) -> Document:
    """Make a document with callers; none: without an access policy."""
    content: dict[str, Any] = {"tenants": {}, "routing": [], "access": {"callers": callers} if callers else None}
    return Document(**content | sections)


class TestNamespaceProblems:
    """A caller whose namespace moves would forget all of its intents."""

    @pytest.mark.parametrize(
        ("running", "fresh", "expected", "reason"),
        [
            ((SHOP,), (SHOP,), [], "nothing changes"),
            ((SHOP,), (SHOP, SHOPS), [], "another caller comes"),
            ((SHOP, SHOPS), (SHOP,), [], "a caller goes"),
            ((SHOP,), (SHOP | {"namespace": "new"},), ["jwt:shop"], "its own entry says so"),
            ((SHOPS,), (SHOPS, TILL), [], "an entry of its own, with the namespace it had"),
            ((SHOPS,), (SHOPS, TILL | {"namespace": "till"}), ["jwt:shops/till"], "taken out of a prefix"),
            ((SHOPS, TILL | {"namespace": "till"}), (SHOPS,), ["jwt:shops/till"], "put back under a prefix"),
            ((), (SHOP,), ["jwt:shop"], "from everybody's namespace to its own"),
            ((SHOP,), (), ["jwt:shop"], "and back"),
            ((), (SHOP | {"namespace": "default"},), [], "everybody's namespace is kept"),
        ],
        ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
    )
    def test_name_whose_namespace_moves(
        self, running: tuple[Any, ...], fresh: tuple[Any, ...], expected: list[str], reason: str
    ) -> None:
        """By the entries that decide, not by their order."""
        problems = list(namespace_problems(document(*running), document(*fresh)))

        assert expected == [problem.partition("(")[2].partition(")")[0] for problem in problems], reason


class TestChangeProblems:
    """What is read at the start only cannot change on the way."""

    @pytest.mark.parametrize("section", sorted(set(Document.model_fields) - RELOADABLE))
    def test_name_every_fixed_section(self, section: str) -> None:
        """Whatever sections there will be: a new one is fixed until somebody makes it reloadable."""
        other = {"accept_memory_store": True, "intents": {"namespace": "other"}, "sessions": {"max_age_s": 1.0},
            "payment_methods": {"raw_card_data": True}, "call_history": {"keep_s": 60.0},
            "identity": {"mesh": {"peers": ["127.0.0.1"]}}, "zuora_http": {"connect_timeout_s": 1.0},
            "store": {"max_entries": 1000}, "telemetry": {"log_level": "error"}, "grpc": {"listen": "[::1]:1"},
            "admin": {"listen": "[::1]:1"}, "diagnostics": {"listen": "[::1]:1"}}  # fmt: skip

        problems = list(change_problems(document(), document(**{section: other[section]})))

        assert [f"{section}: has changed, which needs a restart"] == problems
