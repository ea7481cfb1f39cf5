"""Texts that people write for the emulator: worlds, faults, and sets of custom payment methods."""

import contextlib
from collections.abc import Iterator

from zuora_emulator import FaultSyntaxError, parse_fault
from zuora_emulator.faults import parse_faults
from zuora_emulator.fixtures_file import _Reader
from zuora_emulator.yaml_nodes import FileError, parsed_yaml

from fuzz.target import Target, require

_WORLD = """\
tenants: [{id: '10001', entities: [{id: 11111111-1111-4111-8111-111111111111, hub_tenant: '12368'}], orgs: [%s]}]
clients: [{name: a, client_id: 22222222-2222-4222-8222-222222222222, client_secret: s, tenant: '10001',
  entities: [11111111-1111-4111-8111-111111111111]}]
gateways: [{name: Cards, tenant: '10001', entity: 11111111-1111-4111-8111-111111111111}]
accounts: [{number: A1, tenant: '10001', entity: 11111111-1111-4111-8111-111111111111, currency: USD, gateway: Cards}]
invoices: [{number: INV1, account: A1, balance: 10.50}]
custom_types: [{name: AmazonPay, tenant: '10001', fields: [{name: Token, type: string, required: true}]}]
hub_gateways: [{name: Hub, tenant: '10001', entity: 11111111-1111-4111-8111-111111111111,
  endpoint: 'https://hub.test/upc/main', user: u, password: p}]
"""


def run(data: bytes) -> None:
    """Read a text as a world and as a fault; a problem is a sentence, and never anything else."""
    text = data.decode(errors="replace")
    with contextlib.suppress(FileError):
        section, problems = parsed_yaml(text, name="file")
        world = _Reader(allow_local_hubs=True).read(section)
        problems.finish()
        require(world.state() is not None, "a world that was read can be begun")
    with contextlib.suppress(FaultSyntaxError):
        require(str(parse_fault(str(parse_fault(text)))) == str(parse_fault(text)), "a fault is written as it is read")
    with contextlib.suppress(FaultSyntaxError):
        require(parse_faults(text), "every operation has a fault")


def _seeds() -> Iterator[bytes]:
    yield (_WORLD % ("b" * 32)).encode()
    for fault in (
        "sessions:500",
        "*:drop",
        "decryption:503:2.5",
        "token:success_false:53000060",
        "hub:slow:1e3",
        "x:1:2:3",
    ):
        yield fault.encode()
    yield b"a: " + b"[" * 400
    yield b"a: &a [*a]\nb: *c\n? [x]\n: y\n1: 2\n"


TARGET = Target(
    "emulator_file",
    run,
    _seeds,
    covers=(),
    words=(
        "tenants: ",
        "clients: ",
        "entities: ",
        "balance: ",
        "1e999",
        "NaN",
        "-0",
        "sessions:",
        ":slow:",
        ":429:",
        "*",
        "&a ",
    ),
    has_secrets=False,  # test data
)
