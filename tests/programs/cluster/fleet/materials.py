"""Certificates, keys and passwords of the fleet, as Secrets of the cluster and as files of its callers."""

import base64
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from harness.authority import Authority, Issuer, key_set
from harness.keyring import new_key_file
from zuora_emulator import seed

from programs.cluster.api import Api, Object
from programs.cluster.fleet import names
from programs.cluster.surroundings import HUB_PASSWORD

_FIRST, _SECOND = "first", "second"


@dataclass(slots=True)
class Materials:
    """What the fleet holds at this moment; each rotation replaces a part."""

    folder: Path
    """Where callers read their files."""
    authority: Authority = field(default_factory=Authority)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """Of Redis."""
    keys: dict[str, str] = field(default_factory=lambda: {_FIRST: new_key_file()})
    """Of the service and, which is another Secret, of the hub; the content of each file by its name."""
    hub_keys: dict[str, str] = field(default_factory=lambda: {_FIRST: new_key_file()})
    issuers: list[Issuer] = field(default_factory=lambda: [Issuer(kid=_FIRST)])
    """Whose tokens are accepted; the last one issues."""

    def token(self) -> str:
        """Return a token of the newest issuer."""
        return self.issuers[-1].token("nightly")

    def add_keys(self) -> None:
        """Make the next keys of service and hub."""
        self.keys[_SECOND], self.hub_keys[_SECOND] = new_key_file(), new_key_file()

    def add_issuer(self) -> Issuer:
        """Make the next key of the issuer, which issues nothing until it is last in the list."""
        return Issuer(kid=_SECOND)

    def issue_for_callers(self) -> None:
        """Write new certificates for callers over their old ones."""
        (self.folder / "ca.crt").write_bytes(self.authority.certificate)
        self.authority.issue(names.SHOP).write(self.folder, "shop")
        self.authority.issue(names.NEWCOMER).write(self.folder, "newcomer")

    def certificates(self) -> dict[str, Object]:
        """Return Secrets with new certificates of everything that listens, by name."""
        inside = f"{names.NAMESPACE}.svc"
        listeners = {
            "payorch-tls": (names.SERVICE, f"{names.SERVICE}.{inside}", names.HEADLESS),
            "payorch-upc-tls": ("hub.example.com",),
            "redis-tls": ("redis",),
            "envoy-tls": (names.ENVOY, names.GATEWAY),
        }
        made = {}
        for name, owners in listeners.items():
            issued = self.authority.issue(*owners)
            content = {"tls.crt": issued.certificate, "tls.key": issued.key, "ca.crt": self.authority.certificate}
            made[name] = secret(name, content)
        return made

    def secrets(self) -> tuple[Object, ...]:
        """Return all other Secrets, and the ConfigMap with the keys of the issuer."""
        redis = {"redis-password": self.password.encode(), "ca.crt": self.authority.certificate}
        return (
            secret("payorch-zuora", {"client_secret": seed.CLIENT_A.client_secret.encode()}),
            secret("payorch-fleet", _encoded(self.keys) | redis),
            secret("payorch-upc-fleet", _encoded(self.hub_keys) | redis),
            secret("payorch-upc-credentials", {"new": HUB_PASSWORD.encode()}),
            self.key_set(*self.issuers),
        )

    def key_set(self, *issuers: Issuer) -> Object:
        """Return the ConfigMap with the public keys of issuers."""
        return config_map("payorch-key-set", {"jwks.json": key_set(*issuers).decode()})


def secret(name: str, data: dict[str, bytes]) -> Object:
    """Return a Secret."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}


def config_map(name: str, data: dict[str, str], binary: dict[str, bytes] | None = None) -> Object:
    """Return a ConfigMap."""
    encoded = {key: base64.b64encode(value).decode() for key, value in (binary or {}).items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data,
        "binaryData": encoded,
    }


def put(api: Api, *objects: Object) -> None:
    """Create objects in the fleet's namespace, or replace what they hold."""
    for content in objects:
        api.apply(api.resource_of(content).path(names.NAMESPACE, content["metadata"]["name"]), content)


def _encoded(keys: dict[str, str]) -> dict[str, bytes]:
    return {f"key-{name}": text.encode() for name, text in keys.items()}
