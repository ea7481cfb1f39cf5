"""A world of one's own: what a file may say, and what is said about each mistake in it."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from zuora_emulator import Emulator, FileError, Fixtures, read_fixtures, seed

US, EU = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
CLIENT_ID = "a-client-with-thirty-six-characters-"
MINE = f"""\
tenants:
  - id: 777
    entities:
      - id: {US}
      - id: {EU}
        hub_tenant: 778
    orgs: [north]
clients:
  - name: shop
    client_id: {CLIENT_ID}
    client_secret: open
    tenant: 777
    entities: [{US}, {EU}]
    multi_org: true
    orgs: [north]
gateways:
  - name: Cards
    tenant: 777
    entity: {US}
accounts:
  - number: A-1
    name: NO
    tenant: 777
    entity: {US}
    org: north
    currency: CAD
    gateway: Cards
invoices:
  - number: I-1
    account: A-1
    balance: 100.10
custom_types:
  - name: ShopPay
    tenant: 777
    fields:
      - name: ShopToken
        required: true
        max_length: 40
hub_gateways:
  - name: Hub
    tenant: 777
    entity: {EU}
    endpoint: https://hub.example.com/upc
    user: zuora
    password: secret
"""

ReadText = Callable[[str], Fixtures]


@pytest.fixture
def read(tmp_path: Path) -> ReadText:
    """Read a text as a file named mine.yaml."""

    def read_text(text: str) -> Fixtures:
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return read_fixtures(path)

    return read_text


class TestAWorldOfOnesOwn:
    """Everything a team needs to load its chart of entities."""

    def test_is_what_the_file_says(self, read: ReadText) -> None:
        """References by name or number, texts as they stand, exact amounts."""
        world = read(MINE)

        [account], [invoice], [gateway] = world.accounts, world.invoices, world.gateways
        assert (account.name, account.currency, account.gateway_id) == ("NO", "CAD", gateway.id)
        assert (invoice.account_id, invoice.currency, invoice.balance) == (account.id, "CAD", Decimal("100.10"))
        assert (world.clients[0].tenant, world.clients[0].entities) == ("777", (US, EU))
        assert (world.upc.types[0].full_name, dict(world.upc.entity_tenants)) == ("ShopPay__c_777", {EU: "778"})

    def test_has_the_same_ids_whenever_it_is_read(self, read: ReadText) -> None:
        """Ids that are left out follow from the names, not from chance or order."""
        other_order = MINE.replace("accounts:\n", f"accounts:\n  - {{number: A-0, {place()}}}\n")

        assert read(MINE).accounts[0] == read(other_order).accounts[1]
        assert len(read(MINE).accounts[0].id) == 32

    @pytest.mark.parametrize("world", ["built-in", "built-in with a hub", "mine"])
    def test_comes_back_from_its_own_print(self, read: ReadText, world: str) -> None:
        """What `zuora-emulator fixtures` prints gives the same world."""
        hub = seed.upc_with("https://hub.example.com/upc")
        worlds = {"built-in": seed.fixtures(), "built-in with a hub": seed.fixtures(hub), "mine": read(MINE)}

        assert read(worlds[world].as_yaml()) == worlds[world]

    def test_is_what_an_emulator_begins_and_begins_again_with(self, read: ReadText) -> None:
        """Also after a reset, the gateways of hubs among it."""
        emulator = Emulator(fixtures=read(MINE))
        begun = emulator.state

        emulator.reset()

        assert emulator.state == begun
        assert [gateway.name for gateway in begun.gateways.values()] == ["Cards", "Hub"]
        assert set(begun.clients) == {CLIENT_ID}


def place(gateway: str = "Cards") -> str:
    return f"tenant: 777, entity: {US}, currency: CAD, gateway: {gateway}"


def changed(old: str, new: str) -> str:
    assert old in MINE
    return MINE.replace(old, new, 1)


class TestMistakes:
    """Each is named with file, line and key."""

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (changed("  - id: 777", "  - id: acme"), ":2: tenants[0].id: must be a tenant's number, not 'acme'"),
            (changed(f"id: {EU}", f"id: {US}"), f":5: tenants[0].entities[1].id: '{US}' is there twice"),
            (changed(f"id: {EU}", "id: EU"), ":5: tenants[0].entities[1].id: must be 36 characters of a UUID"),
            (changed(CLIENT_ID, "short"), ":10: clients[0].client_id: must be 36 characters, not 'short'"),
            (changed("open", "x" * 43), ":11: clients[0].client_secret: must be 1 to 42 characters"),
            (changed("    tenant: 777\n", "    tenant: 778\n"), ":12: clients[0].tenant: there is no tenant '778'"),
            (changed(f"[{US}, {EU}]", "[]"), ":13: clients[0].entities: must have at least one"),
            (changed(f"[{US}, {EU}]", US), ":13: clients[0].entities: must be a list"),
            (changed(f"[{US}, {EU}]", "[x]"), ":13: clients[0].entities: tenant 777 has no entity 'x'"),
            (changed(f"[{US}, {EU}]", f"[{US}, {US}]"), ":13: clients[0].entities: must not have a value twice"),
            (changed(f"[{US}, {EU}]", "[{a: b}]"), ":13: clients[0].entities: must have texts only"),
            (changed("multi_org: true", "multi_org: yes"), ":14: clients[0].multi_org: must be one of true, false"),
            (changed("multi_org: true", "multi_org: false"), ":15: clients[0].orgs: need multi_org: true"),
            (changed("    orgs: [north]\nclients", "clients"), ":14: clients[0].orgs: tenant 777 has no org 'north'"),
            (changed("name: Cards", f"name: {'x' * 41}"), ":17: gateways[0].name: must be 1 to 40 characters"),
            (changed("  - name: Cards", "  - id: 1\n    name: Cards"), ":17: gateways[0].id: must be 32 hex digits"),
            (changed("org: north", "org: south"), ":25: accounts[0].org: tenant 777 has no org 'south'"),
            (changed("currency: CAD", "currency: cad"), ":26: accounts[0].currency: must be one of AED"),
            (changed("    currency: CAD\n", ""), ":21: accounts[0].currency: is missing"),
            (changed("currency: CAD", "currency: ~"), ":26: accounts[0].currency: is missing"),
            (changed("gateway: Cards", "gateway: Hub"), ":27: accounts[0].gateway: the entity has no gateway"),
            (changed("account: A-1", "account: A-2"), ":30: invoices[0].account: no account has the id or number"),
            (changed("balance: 100.10", "balance: 1.001"), ":31: invoices[0].balance: has more decimals than CAD has"),
            (changed("balance: 100.10", "balance: -1"), ":31: invoices[0].balance: must be a number that is not neg"),
            (changed("balance: 100.10", "balance: .nan"), ":31: invoices[0].balance: must be a number that is not"),
            (changed("balance: 100.10", "balance: [1]"), ":31: invoices[0].balance: must be a plain value"),
            (changed("balance: 100.10", "balance: !!int 1"), ":31: invoices[0].balance: must be a plain value"),
            (changed("balance: 100.10", "balances: 1"), ":31: invoices[0].balances: is no key of this place; there"),
            (changed("balance: 100.10", "balance: 1\n    balance: 2"), ":32: invoices[0].balance: is there twice"),
            (changed("name: ShopPay", "name: shop"), ":33: custom_types[0].name: The custom type 'shop' must have 1"),
            (changed("max_length: 40", "max_length: -1"), ":38: custom_types[0].fields[0].max_length: must be a whole"),
            (
                changed("ShopToken", "TokenId"),
                ":33: custom_types[0].name: The field TokenId of ShopPay has a",
            ),
            (changed("https://hub.example", "http://hub.example"), ":40: hub_gateways[0]: The endpoint of the gateway"),
            (changed("name: Hub", "name: Cards").replace(EU, US), "hub_gateways[0].name: 'Cards' is there twice"),
            (changed("invoices:", "bills:"), ":28: bills: is no key of this place; there are accounts, clients"),
            (changed("invoices:", "<<:"), ":28: <<: is no key of this place"),
            ("[]", ":1: must be a mapping"),
            ("# nothing", ":1: is empty"),
            ("tenants:\n  - id: 1\n   entities", ":3: is no YAML: "),
            ("a: b\n---\na: b", ":2: is no YAML: "),
            ("a: \x07", ": is no YAML: "),
        ],
    )
    def test_have_file_line_and_key(self, read: ReadText, text: str, problem: str) -> None:
        """And a sentence."""
        with pytest.raises(FileError) as caught:
            read(text)

        assert f"mine.yaml{problem}" in str(caught.value) or f": {problem}" in str(caught.value)

    def test_are_named_all_at_once(self, read: ReadText) -> None:
        """In the order of their lines."""
        text = changed("open", "").replace("CAD", "XXX").replace("100.10", "much")

        with pytest.raises(FileError) as caught:
            read(text)

        problems = str(caught.value).splitlines()
        assert [line.split(":")[1] for line in problems] == ["11", "26", "31"]

    def test_of_the_file_itself_are_named(self, tmp_path: Path) -> None:
        """It may be missing, or be no text."""
        (tmp_path / "binary").write_bytes(b"\xff\xfe\xfa")

        with pytest.raises(FileError, match="missing: cannot be read: No such file"):
            read_fixtures(tmp_path / "missing")
        with pytest.raises(FileError, match="binary: is not UTF-8 text"):
            read_fixtures(tmp_path / "binary")
