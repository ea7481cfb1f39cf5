"""What is mutated: the areas of the code in which money can be lost, each with its modules and their tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SERVICE: Final = "service/payorch_server/"
_EMULATOR: Final = "tests/emulator/zuora_emulator/"


@dataclass(frozen=True, slots=True)
class Area:
    """Modules with one concern, and the tests that have to notice their mutants."""

    name: str
    modules: tuple[str, ...]
    """Paths below the root of the tree."""
    tests: tuple[str, ...]
    """Files and folders below `tests`; a test elsewhere does not count."""

    def files_of_tests(self, root: Path) -> list[str]:
        """Return the paths of all test files below the root, sorted."""
        found = set()
        for test in self.tests:
            path = root / "tests" / test
            found |= {path} if path.is_file() else set(path.rglob("test_*.py"))
        return sorted(str(path.relative_to(root)) for path in found)


def _service(*modules: str) -> tuple[str, ...]:
    return tuple(f"{_SERVICE}{module}.py" for module in modules)


def _emulator(*modules: str) -> tuple[str, ...]:
    return tuple(f"{_EMULATOR}{module}.py" for module in modules)


AREAS: Final = (
    Area(
        "claims",
        _service(
            *(f"intents/{name}" for name in ("claim", "executor", "intent", "intent_record", "ledger")),
            *(f"intents/{name}" for name in ("process_memory", "replay", "unsettled")),
        ),
        ("unit/intents", "unit/usecases", "unit/test_stored_forms.py"),
    ),
    Area(
        "classification",
        _service(*(f"zuora/{name}" for name in ("answer_body", "errors", "send_errors", "token_answers"))),
        (
            *(f"unit/zuora/test_{name}.py" for name in ("answer_body", "client", "errors")),
            *(f"unit/zuora/test_{name}.py" for name in ("proxy", "tokens", "transport")),
            "unit/zuora/resources",
        ),
    ),
    Area(
        "retries",
        _service(*(f"zuora/{name}" for name in ("attempts", "breaker", "quota", "retry"))),
        (
            *(f"unit/zuora/test_{name}.py" for name in ("breaker", "client", "client_clock", "client_retries")),
            *(f"unit/zuora/test_{name}.py" for name in ("quota", "retry", "waiting_calls")),
        ),
    ),
    Area(
        "routing",
        _service(
            *(f"routing/{name}" for name in ("conditions", "rule_checks", "rule_index", "table")),
            "usecases/routed_operation",
        ),
        ("unit/routing", "unit/usecases", "unit/config/test_loading.py"),
    ),
    Area(
        "permission",
        _service(*(f"access/{name}" for name in ("bearer", "callers", "permission"))),
        ("unit/access", "unit/intents/test_executor_permission.py", "unit/rpc/test_identity.py", "unit/usecases"),
    ),
    Area(
        "store",
        _service("store/keyring", "store/memory", "store/redis"),
        ("unit/store", "unit/test_stored_forms.py", "integration/store"),
    ),
    Area(
        "tokens",
        _service("intents/token_guard", "zuora/tokens", "zuora/token_answers"),
        ("unit/intents", "unit/zuora/test_tokens.py", "unit/zuora/test_client.py"),
    ),
    Area(
        "hub-ledger",
        _service(*(f"upc/{name}" for name in ("hub_execution", "hub_ledger", "hub_record", "open_records"))),
        ("unit/upc",),
    ),
    Area(
        "hub-answers",
        _service(
            *(f"upc/{name}" for name in ("answers", "gateway_outcome", "hub_decode", "hub_encode", "plugin_outcome"))
        ),
        ("unit/upc",),
    ),
    Area(
        "amounts",
        (*_service("model/money", "rpc/decode", "rpc/decode_payment_method"), *_emulator("currency")),
        (
            "unit/model",
            *(f"unit/rpc/test_{name}.py" for name in ("decode", "decode_payment_method", "validation")),
            "unit/zuora_emulator/test_values.py",
        ),
    ),
    Area(
        "apple-pay",
        _service(*(f"applepay/{name}" for name in ("members", "token", "token_json", "violation"))),
        ("unit/applepay", "unit/usecases", "unit/rpc/test_decode_payment_method.py"),
    ),
    Area(
        "emulator-checks",
        _emulator("fields", "headers", "payment_fields", "payment_method_schema", "schema_check", "upc_requests"),
        (
            *(f"contract/test_{name}.py" for name in ("decryption", "headers", "hub_requests", "payment_methods")),
            *(f"contract/test_{name}.py" for name in ("payment_methods_v1", "plain_payments", "request_lines")),
            *(f"contract/test_{name}.py" for name in ("external_payments", "hub_payments", "sessions")),
            *(f"unit/zuora_emulator/test_{name}.py" for name in ("hub_set_up", "payment_method_schema", "values")),
        ),
    ),
    Area(
        "emulator-ledger",
        _emulator("decryption", "idempotency", "ledger", "payments", "redemption", "upc_payments", "upc_records"),
        (
            *(f"contract/test_{name}.py" for name in ("decryption", "hub_payments", "idempotency", "plain_payments")),
            *(
                f"contract/test_{name}.py"
                for name in ("payment_methods", "payment_methods_v1", "redemption", "sessions")
            ),
            *(f"unit/zuora_emulator/test_{name}.py" for name in ("books", "hub_payment_lives", "hub_set_up")),
            "contract/test_external_payments.py",
            "unit/zuora_emulator/test_idempotency.py",
        ),
    ),
)
