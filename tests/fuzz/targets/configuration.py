"""Configuration files of service and hub, and manifests of Kubernetes that hold some."""

import textwrap
from collections.abc import Iterator
from typing import Final

from payorch_server.commands.standard_input import _checked
from payorch_server.config.base_document import ConfigError
from payorch_server.config.hub_loading import load_hub_document
from payorch_server.config.loading import load_document
from payorch_server.config.manifest import configurations_in, objects_in
from payorch_server.config.strict_yaml import NamedText, compose

from fuzz.target import Target, require

_SERVICE: Final = """\
tenants:
  acme: {base_url: 'https://rest.test.zuora.com', client_id: 11111111-2222-3333-4444-555555555555,
    client_secret_file: /run/secret, gateways: {cards: {id: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, label: Cards}}}
routing:
  - {name: de, when: {country: [DE], currency: [EUR], amount: {at_least: 10.5}}, to: {tenant: acme, gateway: cards}}
  - {name: all, to: {tenant: acme, gateway: cards}}
accept_memory_store: true
identity: {mesh: {peers: [127.0.0.1/32]}, jwt: {own: {issuer: 'https://issuer.test', audience: a, key_set_file: /k}}}
access: {callers: [{caller: 'jwt:x', namespace: shop, rpcs: ['*'], tenants: {'*': {entities: ['*'], orgs: ['*']}}}]}
telemetry: {otlp_endpoint: 'https://collector:4317', otlp_headers_file: /h}
grpc: {listen: '127.0.0.1:0', drain_wait_s: 0.0}
"""
_HUB: Final = """\
upc:
  listen: 127.0.0.1:0
  accept_memory_store: true
  hubs: {acme: {tenants: ['12368'], credentials: [{user: zuora, password_file: /p}]}}
  gateways: {acme: {hub: acme, names: [UPC_Token], types: [AmazonPay__c_12368], target: '127.0.0.1:50051'}}
admin: {listen: '127.0.0.1:0'}
"""
_MANIFEST: Final = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data:
  payorch.yaml: |
%s
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec: {template: {spec: {containers: [{name: main, args: [serve, --config, /etc/p/payorch.yaml],
  env: [{name: PAYORCH_GRPC__LISTEN, value: ':1'}, {name: PAYORCH_X, valueFrom: {configMapKeyRef: {name: c, key: k}}}],
  volumeMounts: [{name: v, mountPath: /etc/p}]}], volumes: [{name: v, configMap: {name: c}}]}}}}
"""


def run(data: bytes) -> None:
    """Read a text as each of them; a problem is a sentence, and never anything else."""
    text = data.decode(errors="replace")
    file = NamedText("file", text)
    for load in (load_document, load_hub_document):
        try:
            load(file)
        except ConfigError as error:
            require(error.problems, "a refusal names problems")
    compose(file)
    try:
        objects = objects_in(text, "file")
        for configuration in configurations_in(objects, "file") if objects else ():
            _checked(configuration)
    except ConfigError as error:
        require(error.problems, "so does that of a manifest")


def _seeds() -> Iterator[bytes]:
    yield _SERVICE.encode()
    yield _HUB.encode()
    yield (_MANIFEST % textwrap.indent(_SERVICE, "    ")).encode()
    yield b"a: &a [1, 2]\nb: *a\n<<: *a\nc: !!int 0x1F\nd: !!float .inf\ne: ! '12'\nf: 2025-08-12\n"
    yield b"tenants: {1: {}, true: {}, null: {}, [a]: {}, ? {a: b} : c}\n"
    yield b'a: "\\U00110000"\nb: |2-\n   x\n? y\n: z\n'
    yield b"a: " + b"9" * 5000 + b"\nb: 0x" + b"F" * 4000 + b"\n"
    yield b"a: " + b"[" * 500
    yield b"&a [*a]"
    laughs = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10))
    yield f"a0: &a0 [lol]\n{laughs}\ntenants: *a9\n".encode()
    yield f"kind: List\nitems: [{{apiVersion: v1, kind: ConfigMap, a0: &a0 [lol]}}]\n{laughs}\n".encode()


TARGET = Target(
    "configuration",
    run,
    _seeds,
    covers=(
        *("config.strict_yaml", "config.reading", "config.loading", "config.hub_loading", "config.manifest"),
        *("config.pod_files", "config.problem_texts", "config.places", "config.salvage", "commands.standard_input"),
    ),
    words=(
        *(
            "&a ",
            "*a",
            "<<: ",
            "!!int ",
            "!!float ",
            "!!binary ",
            "!!set ",
            "? ",
            ": ",
            "- ",
            "---\n",
            "...\n",
            "|\n",
            ">\n",
        ),
        *(
            ".inf",
            ".nan",
            "0x",
            "0o",
            "null",
            "true",
            "kind: ",
            "apiVersion: ",
            "data: ",
            "items: ",
            "\\U00110000",
            "\t",
        ),
        *(
            "tenants: ",
            "routing: ",
            "when: ",
            "upc: ",
            "hubs: ",
            "gateways: ",
            "telemetry: ",
            "-1",
            "1e999",
            "http://[",
        ),
    ),
    has_secrets=False,  # secrets are in files of their own
)
