"""The query of Quickstart: which fields an answer has, what is expanded, and page sizes.

Source: Quickstart API reference, "Create a payment method", query parameters, read 2026-11.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zuora_emulator.digits import whole_number
from zuora_emulator.errors import Reason, Refused

_PAYMENT_METHOD_FIELDS_TEXT = """
custom_fields created_by_id updated_by_id created_time id updated_time type account_id bank_identification_number
device_session_id ip_address maximum_payment_attempts payment_retry_interval state use_default_retry_rule
existing_mandate last_failed_sale_transaction_time last_transaction_time last_transaction_status
number_of_consecutive_failures total_number_of_processed_payments total_number_of_error_payments billing_details card
apple_pay google_pay ach_debit cc_ref paypal_adaptive paypal_express_native paypal_express sepa_debit betalings_debit
autogiro_debit bacs_debit au_becs_debit nz_becs_debit pad_debit
"""
PAYMENT_METHOD_FIELDS = frozenset(_PAYMENT_METHOD_FIELDS_TEXT.split())
_ACCOUNT_FIELDS_TEXT = """
custom_fields created_by_id updated_by_id created_time id updated_time auto_pay account_number bill_to_id sold_to_id
billing_document_settings communication_profile_id crm_id sales_rep parent_account_id payment_gateway payment_terms
remaining_credit_memo_balance remaining_debit_memo_balance remaining_invoice_balance remaining_payment_balance
sequence_set_id tax_certificate batch tax_identifier bill_cycle_day description name currency
default_payment_method_id enabled
"""
ACCOUNT_FIELDS = frozenset(_ACCOUNT_FIELDS_TEXT.split())
EXPANSIONS = frozenset({"account"})
LARGEST_PAGE = 99
_EXPANSION = re.compile(r"\w+(\.\w+)*", re.ASCII)
_FILTER_OF_OBJECT = re.compile(r"\w+\[\w+\]\.[A-Z]{2,3}:.+", re.ASCII)
_FILTER = re.compile(r"[\w.]+(\[\w+\])?\.[A-Z]{2,3}:.+", re.ASCII)
_KNOWN = frozenset({"fields[]", "payment_method.fields[]", "account.fields[]", "expand[]", "filter[]", "page_size"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the caller wants to see; empty sets mean everything."""

    fields: frozenset[str]
    account_fields: frozenset[str]
    expands_account: bool

    def apply(self, body: Mapping[str, Any], account: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the answer's body with the wanted fields."""
        chosen = {name: value for name, value in body.items() if not self.fields or name in self.fields}
        if self.expands_account and account is not None:
            chosen["account"] = {
                name: value for name, value in account.items() if not self.account_fields or name in self.account_fields
            }
        return chosen


def read_selection(query: Sequence[tuple[str, str]], *, strict: bool) -> Selection:
    """Read the query; `strict` refuses expansions but `account`, and filters without an object.

    Raises:
        Refused: a parameter or field is unknown, an expansion or filter is malformed, or `page_size` is not 1 to
            99.
    """
    problems = [_problem("unknown_parameter", name) for name, _ in query if name not in _KNOWN]
    fields = _named(query, ("fields[]", "payment_method.fields[]"), PAYMENT_METHOD_FIELDS, problems)
    account_fields = _named(query, ("account.fields[]",), ACCOUNT_FIELDS, problems)
    expansions = {part for name, value in query if name == "expand[]" for part in value.split(",")}
    known = EXPANSIONS.__contains__ if strict else _EXPANSION.fullmatch
    problems += (_problem("invalid_parameter", "expand[]") for name in sorted(expansions) if not known(name))
    filter_form = _FILTER_OF_OBJECT if strict else _FILTER
    for name, value in query:
        if name == "filter[]" and not filter_form.fullmatch(value):
            problems.append(_problem("invalid_parameter", name))
        if name == "page_size" and not _is_page_size(value):
            problems.append(_problem("invalid_parameter_integer", name))
    if problems:
        raise Refused(tuple(problems))
    expands = "account" in expansions or bool(account_fields)
    return Selection(fields=fields, account_fields=account_fields, expands_account=expands)


def _is_page_size(value: str) -> bool:
    return 1 <= (whole_number(value) or 0) <= LARGEST_PAGE


def _named(
    query: Sequence[tuple[str, str]], names: tuple[str, ...], known: frozenset[str], problems: list[Reason]
) -> frozenset[str]:
    wanted = [(name, part) for name, value in query if name in names for part in value.split(",")]
    problems.extend(_problem("invalid_parameter", name) for name, part in wanted if part not in known)
    return frozenset(part for _, part in wanted)


def _problem(code: str, name: str) -> Reason:
    message = f"The query parameter {name[:64]} is not valid."
    return Reason(category=20, message=message, parameter=name[:64], quickstart_code=code)
