"""What the emulator sends to a hub, and what it makes of the answers."""

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from contract.example_tenant import CLIENT, GATEWAY_ID, account_with, set_up_of_the_examples
from contract.scripted_hub import APPROVED, CUT, DECLINED, EXAMPLES, UNKNOWN, HubbedCaller, HubbedWith, Script, compact
from zuora_emulator import UpcConfiguration, seed
from zuora_emulator.upc_types import CustomField, CustomType, UpcGateway

pytestmark = pytest.mark.asyncio


def hubbed_as_in(example: Mapping[str, Any], hubbed_with: HubbedWith, endpoint: str) -> HubbedCaller:
    """Make an emulator with the account, gateway and tenant of one of Zuora's examples."""
    hubbed = hubbed_with(upc=set_up_of_the_examples(endpoint, example["paymentGatewayName"]))
    hubbed.caller.emulator.state.add(CLIENT, account_with(example["billingAccount"]["accountNumber"]))
    return hubbed


async def posted(hubbed: HubbedCaller, path: str, body: Any) -> Any:
    answer = await hubbed.caller.post(path, body, client=CLIENT)
    assert answer.json()["success"] is True, answer.text
    return answer.json()


async def new_method(hubbed: HubbedCaller, example: Mapping[str, Any], **more: Any) -> str:
    tokens = example["paymentMethod"]["upcTokenData"]
    members = {name[0].lower() + name[1:]: value for name, value in tokens.items() if value}
    body = {"type": "AmazonPay__c_12368", "accountKey": example["billingAccount"]["accountNumber"], **members, **more}
    return str((await posted(hubbed, "/v1/payment-methods", body))["id"])


async def endpoint_of(hubbed_with: HubbedWith) -> str:
    return hubbed_with().hub.url


async def test_a_validate_has_the_bytes_of_zuoras_example(hubbed_with: HubbedWith) -> None:
    example = EXAMPLES["Validate"]["request"]
    hubbed = hubbed_as_in(example, hubbed_with, await endpoint_of(hubbed_with))
    hubbed.hub.script.append((200, EXAMPLES["Validate"]["response"]))

    method_id = await new_method(hubbed, example)

    assert [request.body for request in hubbed.hub.requests] == [compact(example)]
    stored = hubbed.caller.emulator.state.payment_methods[method_id].token_data
    assert stored == example["paymentMethod"]["upcTokenData"] | {"ShopperEmail": "sample@testmail.com"}
    assert [send.problems for send in hubbed.caller.emulator.upc.sends.entries] == [()]


async def test_a_payment_and_a_refund_have_the_bytes_of_zuoras_examples(hubbed_with: HubbedWith) -> None:
    example, refund_example = EXAMPLES["Payment"]["request"], EXAMPLES["Refund"]["request"]
    hubbed = hubbed_as_in(example, hubbed_with, await endpoint_of(hubbed_with))
    reference_id = refund_example["refund"]["referenceId"]
    hubbed.hub.script += [
        (200, EXAMPLES["Payment"]["response"] | {"gatewayTransactionId": reference_id}),
        (200, EXAMPLES["Refund"]["response"]),
    ]

    method_id = await new_method(hubbed, example, skipValidation=True)
    account = example["billingAccount"]["accountNumber"]
    body = {"type": "Electronic", "accountNumber": account, "amount": 200, "currency": "USD"}
    payment = await posted(hubbed, "/v1/payments", body | {"paymentMethodId": method_id, "gatewayId": GATEWAY_ID})
    refund_body = {"type": "Electronic", "totalAmount": 200}
    refund = await posted(hubbed, f"/v1/payments/{payment['number']}/refunds", refund_body)

    ours = {
        example["paymentMethod"]["id"]: method_id,
        example["payment"]["id"]: payment["id"],
        example["payment"]["paymentNumber"]: payment["number"],
        refund_example["refund"]["id"]: refund["id"],
        refund_example["refund"]["paymentId"]: payment["id"],
        refund_example["refund"]["refundNumber"]: refund["number"],
    }
    expected = [compact(example), compact(refund_example)]
    for theirs, own in ours.items():
        expected = [body.replace(theirs.encode(), own.encode()) for body in expected]
    assert [request.body for request in hubbed.hub.requests] == expected
    assert (payment["status"], payment["referenceId"], refund["status"]) == ("Processed", reference_id, "Processed")
    assert [send.problems for send in hubbed.caller.emulator.upc.sends.entries] == [(), ()]


async def test_requests_carry_basic_credentials_and_json(hubbed: HubbedCaller) -> None:
    await hubbed.method()

    headers = hubbed.hub.requests[0].headers
    credentials = base64.b64encode(f"zuora:{seed.HUB_PASSWORD}".encode()).decode()
    assert (headers["authorization"], headers["content-type"]) == (f"Basic {credentials}", "application/json")


@pytest.mark.parametrize(
    ("answer", "payment", "method", "reason"),
    [
        (APPROVED, "Processed", "created", "approved"),
        ((202, APPROVED[1]), "Processed", "created", "the same by the documents"),
        (DECLINED, "Error", "refused", "declined"),
        ((200, {"responseCode": "Failed"}), "Error", "refused", "failed"),
        ((200, {"responseCode": "System"}), "Error", "refused", "not attempted"),
        ((400, {"gatewayResponseMessage": "x"}), "Error", "refused", "not understood"),
        ((401, {"gatewayResponseMessage": "x"}), "Error", "refused", "wrong credentials"),
        (UNKNOWN, "Processing", "unknown", "not known"),
        ((500, b""), "Processing", "unknown", "a defect"),
        ((413, b""), "Processing", "unknown", "another refusal"),
        ((404, APPROVED[1]), "Processing", "unknown", "a body does not make up for the status"),
        ((200, {"responseCode": "approved"}), "Processing", "unknown", "no word of Zuora's"),
        ((200, {"responseCode": 1}), "Processing", "unknown", "no text"),
        ((200, b"{"), "Processing", "unknown", "no JSON"),
        ((200, b'["Approved"]'), "Processing", "unknown", "no object"),
        (CUT, "Processing", "unknown", "no answer"),
    ],
)
async def test_answers_decide_as_documented(
    hubbed: HubbedCaller, answer: Script, payment: str, method: str, reason: str
) -> None:
    paid = (await hubbed.pay(answer)).json()
    hubbed.hub.script.append(answer)
    created = await hubbed.method()

    assert (paid["status"], paid["success"]) == (payment, True), reason
    assert created.status_code == 200
    assert created.json()["success"] is (method == "created"), reason
    refund_of = (await hubbed.pay(APPROVED)).json()["id"]
    assert (await hubbed.refund(refund_of, answer)).json()["status"] == payment, reason


async def test_a_declined_validation_gives_the_hubs_reason_and_creates_nothing(hubbed: HubbedCaller) -> None:
    hubbed.hub.script.append(DECLINED)

    refused = (await hubbed.method()).json()

    assert refused["reasons"] == [{"code": 53010060, "message": "Transaction declined.51 - No funds."}]
    assert hubbed.caller.emulator.state.payment_methods == {}
    assert hubbed.caller.emulator.ledger.count("payment_methods_v1") == 0


async def test_a_method_is_not_for_a_gateway_that_calls_no_hub(hubbed: HubbedCaller) -> None:
    other = await hubbed.method(authGateway=seed.GATEWAY_US.id)
    ours = await hubbed.method(authGateway=seed.UPC_GATEWAY_ID)

    assert (other.status_code, other.json()["reasons"][0]["code"]) == (400, 53010030)
    assert (ours.json()["success"], len(hubbed.hub.requests)) == (True, 1)


@pytest.mark.parametrize("answer", [UNKNOWN, CUT])
async def test_an_unknown_validation_may_create_the_method(hubbed_with: HubbedWith, answer: Script) -> None:
    refusing, creating = hubbed_with(), hubbed_with(upc_unknown_validate="create")
    creating.hub.script += [answer, answer]

    refused, created = (await refusing.method()).json(), (await creating.method()).json()

    assert (refused["success"], created["success"]) == (False, True)
    assert "declined" not in refused["reasons"][0]["message"]


async def test_skipping_validation_asks_no_hub(hubbed: HubbedCaller) -> None:
    assert (await hubbed.method(skipValidation=True)).json()["success"] is True

    assert hubbed.hub.requests == []


async def test_an_orphan_is_validated_without_a_billing_account(hubbed: HubbedCaller) -> None:
    await hubbed.method(accountKey=None)

    assert "billingAccount" not in hubbed.hub.requests[0].json


@pytest.mark.parametrize(
    ("more", "code", "reason"),
    [
        ({"amazonToken": None}, 22, "required"),
        ({"amazonToken": ""}, 22, "required and empty"),
        ({"amazonToken": "x" * 256}, 20, "too long"),
        ({"amazonTokenType": 5}, 20, "no text"),
        ({"shoppingDate": "tomorrow"}, 20, "no date"),
    ],
)
async def test_fields_are_held_to_their_type(
    hubbed: HubbedCaller, more: dict[str, Any], code: int, reason: str
) -> None:
    answer = await hubbed.method(**more)

    assert (answer.status_code, answer.json()["reasons"][0]["code"]) == (400, 53010000 + code), reason
    assert hubbed.hub.requests == []


async def test_values_stay_what_they_were(hubbed_with: HubbedWith) -> None:
    fields = (
        CustomField(name="Token", required=True),
        CustomField(name="Count", type="number"),
        CustomField(name="Agreed", type="boolean"),
        CustomField(name="Day", type="date"),
        CustomField(name="Moment", type="datetime"),
        CustomField(name="Note"),
    )
    template = seed.upc_with(await endpoint_of(hubbed_with))
    own = CustomType(internal_name="Own", tenant=seed.TENANT, fields=fields)
    hubbed = hubbed_with(upc=UpcConfiguration(types=(own,), gateways=template.gateways))
    raw = (
        b'{"type":"Own__c_10001","token":"t","count":12345678901234567.10,"agreed":false,"day":"2026-11-20",'
        b'"moment":"2026-11-20T12:00:00Z"}'
    )

    headers = await hubbed.caller.bearer()
    answer = await hubbed.caller.http.post("/v1/payment-methods", content=raw, headers=headers)

    assert answer.json()["success"] is True
    assert (
        b'"upcTokenData":{"Agreed":false,"Count":12345678901234567.10,"Day":"2026-11-20",'
        b'"Moment":"2026-11-20T12:00:00Z","Note":"","Token":"t"}'
    ) in hubbed.hub.requests[0].body


@pytest.mark.parametrize("form", ["object", "text"])
async def test_token_data_of_an_answer_changes_the_stored_method(hubbed: HubbedCaller, form: str) -> None:
    changes = {"AmazonToken": "new", "Unknown": "x"}
    answer = APPROVED[1] | {"upcTokenData": changes if form == "object" else compact(changes).decode()}
    method_id = await hubbed.method_id()

    await hubbed.pay((200, answer), method_id=method_id)
    await hubbed.pay(method_id=method_id)

    tokens = [request.json["paymentMethod"]["upcTokenData"] for request in hubbed.hub.requests]
    assert [data["AmazonToken"] for data in tokens] == ["3sample54cf04113e3f1595951874003", "new"]
    assert "Unknown" not in tokens[1]
    assert tokens[1]["ShopperEmail"] == "sample@testmail.com"


async def test_token_data_of_a_validation_is_stored(hubbed: HubbedCaller) -> None:
    hubbed.hub.script.append((200, APPROVED[1] | {"upcTokenData": {"ShopperEmail": "new@example.com"}}))

    created = (await hubbed.method()).json()

    stored = hubbed.caller.emulator.state.payment_methods[created["id"]].token_data
    assert stored == {
        "AmazonAccount": "SampleAmazonAccount",
        "AmazonToken": "3sample54cf04113e3f1595951874003",
        "AmazonTokenType": "Digital",
        "ShopperEmail": "new@example.com",
        "ShoppingDate": "",
    }


async def test_token_data_of_an_answer_that_is_an_error_changes_nothing(hubbed: HubbedCaller) -> None:
    method_id = await hubbed.method_id()

    await hubbed.pay((200, DECLINED[1] | {"upcTokenData": {"AmazonToken": "new"}}), method_id=method_id)

    assert hubbed.caller.emulator.state.payment_methods[method_id].token_data["AmazonToken"].startswith("3sample")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"gatewayResponseCode": "x" * 21}, "gatewayResponseCode has 21 characters, and 20 are allowed"),
        ({"gatewayTransactionId": "x" * 101}, "gatewayTransactionId has 101 characters, and 100 are allowed"),
        ({"gatewayTransactionId": 7}, "gatewayTransactionId is no text"),
        ({"secret": "x"}, "a member is none that Zuora knows"),
        ({"upcTokenData": "{"}, "upcTokenData is no object, and no text of one"),
        ({"upcTokenData": 1}, "upcTokenData is no object, and no text of one"),
    ],
)
async def test_answers_that_break_a_rule_are_reported(hubbed: HubbedCaller, answer: Any, problem: str) -> None:
    paid = (await hubbed.pay((200, {"responseCode": "Approved", **answer}))).json()

    assert paid["status"] == "Processed"
    assert hubbed.caller.emulator.upc.sends.of(paid["id"])[0].problems == (problem,)
    assert len(paid["gatewayResponseCode"] or "") <= 20


async def test_amounts_may_be_numbers(hubbed_with: HubbedWith) -> None:
    text, number = hubbed_with(), hubbed_with(upc_amounts="number")

    await text.pay(amount=19.9)
    await number.pay(amount=19.9)
    await number.method()

    first, second, validation = (request.body for request in text.hub.requests)
    assert b'"payment":{"amount":"19.9",' in first
    assert b'"payment":{"amount":19.9,' in second
    assert b'"authAmount":1,' in validation


async def test_a_validate_may_have_the_id_of_the_method(hubbed_with: HubbedWith) -> None:
    hubbed = hubbed_with(upc_validate_method_id=True)

    created = (await hubbed.method()).json()

    assert hubbed.hub.requests[0].json["paymentMethod"]["id"] == created["id"]


async def test_token_data_of_a_request_may_be_a_text(hubbed_with: HubbedWith) -> None:
    hubbed = hubbed_with(upc_token_data="string")

    await hubbed.pay()

    assert b'"upcTokenData":"{\\"AmazonAccount\\":\\"SampleAmazonAccount\\",' in hubbed.hub.requests[0].body


async def test_a_sub_entity_may_have_its_own_tenant_id(hubbed_with: HubbedWith) -> None:
    parent, own = hubbed_with(), hubbed_with(upc_tenant_id="own")

    await parent.pay()
    await own.pay()

    shown = [(request.json["tenantId"], request.json["paymentMethod"]["type"]) for request in own.hub.requests]
    assert shown == [("10001", "AmazonPay__c_10001"), ("10011", "AmazonPay__c_10001")]


async def test_a_payment_may_have_members_that_no_page_names(hubbed_with: HubbedWith) -> None:
    hubbed = hubbed_with(upc_level_2_data=True)

    await hubbed.pay()
    await hubbed.method()

    assert [b'"level2Data":{' in request.body for request in hubbed.hub.requests] == [True, False]


async def test_optional_members_are_sent_where_given(hubbed: HubbedCaller) -> None:
    paid = await hubbed.pay(softDescriptor="ACME", softDescriptorPhone="555", gatewayOptions={"Mode": "moto"})
    await hubbed.refund(paid.json()["id"], softDescriptor="ACME", gatewayOptions={"Mode": "moto"})

    payment, refund = (request.json for request in hubbed.hub.requests)
    assert (payment["payment"]["softDescriptor"], payment["payment"]["softDescriptorPhone"]) == ("ACME", "555")
    assert (refund["refund"]["softDescriptor"], refund["gatewayOptions"]) == ("ACME", {"Mode": "moto"})


async def test_a_gateway_that_does_not_verify_asks_nothing(hubbed_with: HubbedWith) -> None:
    template = seed.upc_with(await endpoint_of(hubbed_with))
    (gateway,) = template.gateways
    lenient = UpcGateway(
        id=gateway.id,
        name=gateway.name,
        tenant=gateway.tenant,
        entity=gateway.entity,
        endpoint=gateway.endpoint,
        user=gateway.user,
        password=gateway.password,
        verifies_new_methods=False,
    )
    hubbed = hubbed_with(upc=UpcConfiguration(types=template.types, gateways=(lenient,)))

    assert (await hubbed.method()).json()["success"] is True

    assert hubbed.hub.requests == []


async def test_a_delayed_send_waits_by_the_clock(hubbed: HubbedCaller) -> None:
    before = hubbed.caller.clock.now()
    hubbed.caller.emulator.faults.add("hub_payment:delayed:45")

    paid = (await hubbed.pay()).json()

    assert (paid["status"], hubbed.caller.clock.now() - before) == ("Processed", timedelta(seconds=45))


@pytest.mark.parametrize(
    ("fault", "asked", "read"),
    [("refused", 0, "Processing"), ("lost", 1, "Processing"), ("duplicated", 2, "Processed")],
)
async def test_the_way_to_the_hub_fails_on_demand(hubbed: HubbedCaller, fault: str, asked: int, read: str) -> None:
    hubbed.caller.emulator.faults.add(f"hub_payment:{fault}")

    paid = (await hubbed.pay()).json()

    assert (paid["status"], len(hubbed.hub.requests)) == (read, asked)
    assert len({request.body for request in hubbed.hub.requests}) <= 1
    assert len(hubbed.caller.emulator.ledger.of("hub_payment")) == max(asked, 1)


async def test_nothing_shown_holds_a_secret(hubbed: HubbedCaller) -> None:
    secret = "canary-4711"
    answer = APPROVED[1] | {"upcTokenData": {"AmazonToken": secret}, secret: secret}
    hubbed.hub.script.append((200, answer))
    await hubbed.method(amazonToken=secret, gatewayOptions={"Key": secret})
    method_id = await hubbed.method_id(amazonToken=secret)
    await hubbed.pay((200, answer), method_id=method_id, gatewayOptions={"Key": secret})
    await hubbed.pay((500, secret.encode()), method_id=method_id)

    texts = [(await hubbed.caller.http.get(f"/_emulator/{book}")).text for book in ("upc", "journal", "ledger")]

    assert [text.count(secret) for text in texts] == [0, 0, 0]
    assert [text.count(seed.HUB_PASSWORD) for text in texts] == [0, 0, 0]
    assert [text.count(hubbed.hub.requests[0].headers["authorization"]) for text in texts] == [0, 0, 0]
    assert '"paymentNumber":"P-00000001"' in texts[0]
