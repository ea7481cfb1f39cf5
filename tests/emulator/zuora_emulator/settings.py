"""The switches: every point on which Zuora's documents are silent or disagree, with the answer the emulator gives."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from zuora_emulator.suggestions import did_you_mean

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Duration = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


@dataclass(slots=True, kw_only=True)
class Settings:
    """What the emulator answers where Zuora's documents do not say; every field is one switch.

    Not frozen: an emulator has its own, which can be changed while it runs.
    """

    accept_v1_sessions_path: bool = False
    """Also serve `/v1/web-payments/sessions`; off, because the documents name only the path without a version."""

    sessions_failures: Literal["status", "success_false"] = "status"
    """Whether a refused session has an HTTP error status or HTTP 200 with `success: false`."""

    legacy_auth_amount: bool = False
    """Want `authAmount` instead of `amount` when `processPayment` is false, as the 2023 text does."""

    text_amounts: Literal["accept", "refuse"] = "accept"
    """Whether an amount may be a number written as text, as in a sample of 2023 and from the official SDK."""

    accept_purposeless_session: bool = False
    """Accept a session that neither pays nor stores; off, because it is in no table of valid modes."""

    accept_invoices_without_payment: bool = False
    """Accept `invoices` beside `processPayment: false`; off, because it is in no table of valid modes."""

    account_reference: Literal["either", "id", "number"] = "either"
    """What an account field may hold."""

    invoice_reference: Literal["either", "id", "number"] = "either"
    """What `invoiceId` of the decryption may hold: its name says id, its samples show a number."""

    gateway_reference: Literal["either", "id", "name"] = "either"
    """What `paymentGateway` of the decryption may hold: one paragraph of its page says both."""

    amount_rule: Literal["at_most", "equal", "any"] = "at_most"
    """How the amount inside an Apple Pay token may relate to the invoice's balance."""

    accept_wrapped_apple_token: bool = False
    """Accept the browser's wrapper around the encrypted token in `paymentToken`; documented is the inner object."""

    rsa_tokens: Literal["refuse", "accept"] = "refuse"
    """Whether Apple Pay tokens of version RSA_v1 are taken; the SDK's model wants a key that they do not have."""

    emv_tokens: Literal["accept", "refuse"] = "accept"
    """Whether Apple Pay tokens with EMV payment data are taken; no page speaks of what is inside the encrypted data."""

    require_card_holder_name: bool = False
    """Want `cardHolderName` inside `cardHolderInfo`, as the older text does."""

    require_card_holder_info: bool = False
    """Want `cardHolderInfo` of a `CreditCard` of `/v1/payment-methods`, as the specification does; the SDK does not."""

    decline_payments: bool = False
    """The gateway declines every payment: the method exists, the answer is `success: false` (a half-done result)."""

    check_numbers: bool = True
    """Check the check digits of card numbers and IBANs."""

    accept_types_without_object: bool = False
    """Create Quickstart types that the schema names without giving them fields (`other`, `paypal`, `adyen_*`)."""

    v2_honours_org_ids: bool = True
    """Whether Quickstart looks at `Zuora-Org-Ids`; the original page does not list it, the 2025 specification does."""

    unknown_selections: Literal["ignore", "refuse"] = "ignore"
    """What Quickstart does with an `expand[]` but `account`, and with a `filter[]` without an object (`name.EQ:x`);
    what lists of `/v1` do with a query parameter they do not have."""

    tenant_version: str = "186.0"
    """API version of `/v1` without a `Zuora-Version` header; 186.0 is a tenant that never upgraded."""

    code_type: Literal["documented", "number", "text"] = "documented"
    """JSON type of reason codes: documented means text for sessions and numbers elsewhere."""

    quickstart_errors: Literal["nested", "flat"] = "nested"
    """Shape of Quickstart errors; the page shows the nested one, a guide describes the flat one."""

    unauthorized_body: Literal["message", "user_info", "reasons"] = "message"
    """Body of a 401 from the gateway layer; all three are seen."""

    token_refusal: Literal["message", "reasons"] = "message"
    """Body of the token endpoint for wrong credentials, which no document gives."""

    token_auth_header: Literal["accept", "refuse"] = "accept"
    """Whether a token request may carry credentials in headers: Zuora's page says not to, and its own SDK does."""

    missing_entity: Literal["refuse", "first"] = "refuse"
    """What happens when a token spans several entities and the call names none."""

    single_entity_header: Literal["accept", "refuse"] = "accept"
    """Whether `Zuora-Entity-Ids` may be sent with a single-entity token ("need not" in old texts, "should not" now)."""

    unwanted_orgs: Literal["refuse", "ignore"] = "refuse"
    """What happens when `Zuora-Org-Ids` is sent by a client without Multi-Org."""

    body_mismatch: Literal["replay", "refuse", "execute"] = "replay"
    """What happens when an idempotency key comes again with another body."""

    store_unprocessed: bool = False
    """Keep 401, 429 and the edge's 5xx answers under the idempotency key as well."""

    key_refusal_body: Literal["message", "reasons", "empty"] = "message"
    """Body of the 409 and 422 of the idempotency layer; `reasons` looks like the lock contention of category 50."""

    key_on_reads: Literal["ignore", "refuse"] = "ignore"
    """What happens to an idempotency key on anything but POST and PATCH, where it "should not" be used."""

    replay_headers: Literal["stored", "fresh"] = "stored"
    """Whether a replay carries the first answer's headers (its request id among them) or new ones."""

    rate_limit_per_minute: _Count | None = 50_000
    """API requests per tenant and minute; none turns the limit off."""

    token_limit_per_minute: _Count | None = 100
    """Token requests per peer address and minute; none turns the limit off."""

    concurrency_limit: _Count | None = 40
    """Calls in flight per tenant and entity (class Default); none turns the limit off."""

    duplicate_check: bool = False
    """Whether `processingOptions.checkDuplicated` is heeded, which Zuora turns on for a tenant on request."""

    session_life_minutes: _Duration | None = 60
    """How long a session can be redeemed, which no document says; none: for ever."""

    session_single_use: bool = True
    """Whether a session can be redeemed once only, which no document says."""

    orphan_days: _Duration | None = 10
    """Days after which a payment method without an account is deleted, as the older text says; none: never."""

    most_methods_per_account: _Count | None = 100
    """Payment methods per account, checked by `/v1/payment-methods`; none turns the limit off."""

    async_delay_seconds: _Duration = 1
    """Seconds from the 202 of `async: true` to the execution; 0: executed before, and a refusal is the answer."""

    upc_allow_local_endpoints: bool = False
    """Accept hubs at any address, such as `http://127.0.0.1:8443`; off: Zuora requires https, a name and port 443."""

    upc_amounts: Literal["text", "number"] = "text"
    """JSON type of amounts in requests to hubs: the examples show text, the tables say number."""

    upc_validate_method_id: bool = False
    """Send `paymentMethod.id` in a Validate: the example has none, the table calls it mandatory."""

    upc_token_data: Literal["object", "string"] = "object"
    """Form of `upcTokenData` in requests to hubs; only answers are shown with a JSON text."""

    upc_tenant_id: Literal["parent", "own"] = "parent"
    """Which `tenantId` a hub gets from a sub-entity."""

    upc_level_2_data: bool = False
    """Send members with Level 2 data in a Payment; their names are ours, as no page has them."""

    upc_unknown_validate: Literal["refuse", "create"] = "refuse"
    """What becomes of a method whose validation got no usable answer."""

    upc_resends: Literal["hourly", "never"] = "hourly"
    """Whether payments and refunds in Processing are sent again, every hour for 48 hours."""

    upc_payment_retries: _Count = 0
    """How many new payments Configurable Payment Retry makes after a payment in Error, each a day after the last."""

    control_hosts: str | None = None
    """Public names at which a browser may use the control endpoints, separated by commas; local names always may."""

    def switch(self, values: Mapping[str, Any]) -> None:
        """Set switches by name; text such as `true`, `7` and `none` is read as what it says.

        Raises:
            SwitchError: A name or value is wrong; nothing was set.
        """
        names = sorted(field.name for field in dataclasses.fields(self))
        for name in values:
            if name not in names:
                raise SwitchError(f"{name!r} is no switch; there are {', '.join(names)}{did_you_mean(name, names)}")
        read = {name: _read(name, value) for name, value in values.items()}
        for name, value in read.items():
            setattr(self, name, value)


def _read(name: str, value: Any) -> Any:
    kind = get_type_hints(Settings, include_extras=True)[name]
    try:
        # Not strict: words of a command line become booleans and numbers.
        return msgspec.convert(None if value == "none" else value, kind, strict=False)
    except msgspec.ValidationError as problem:
        words = ("true", "false") if kind is bool else get_args(kind) if get_origin(kind) is Literal else ()
        if not words:
            raise SwitchError(f"The switch {name} has a wrong value, {value!r}: {problem}.") from problem
        known = f"it takes {', '.join(words)}{did_you_mean(str(value), words)}"
        raise SwitchError(f"The switch {name} has a wrong value, {value!r}; {known}") from problem


class SwitchError(ValueError):
    """A switch does not exist or cannot have that value; the message is a sentence."""
