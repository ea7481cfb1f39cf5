"""Requests to the Kubernetes API: what it knows, what it is given, what it warns of."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from programs.cluster.process import ClusterError

_TIMEOUT_S: Final = 30.0
# New kinds are answered with 429 until their storage is there.
_MOST_TRIES: Final = 100
_TRY_AGAIN_S: Final = 0.1
_FIELD_MANAGER: Final = "payorch-tests"

Object = dict[str, Any]


class RefusedError(ClusterError):
    """The API server refuses a request; the text is its message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Resource:
    """What the API server calls the objects of a kind."""

    base: str
    """Path of its group and version."""
    plural: str
    namespaced: bool
    listed: bool

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of one object, or of all."""
        within = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{self.base}{within}/{self.plural}" + (f"/{name}" if name else "")


@dataclass(frozen=True, slots=True)
class Answer:
    """The stored object, and what the API server warns of."""

    content: Object
    warnings: tuple[str, ...]


class Api:
    """The API server as one of its users."""

    def __init__(self, url: str, *, authority: Path, token: str) -> None:
        self._http = httpx.Client(
            base_url=url,
            verify=ssl.create_default_context(cafile=str(authority)),
            headers={"authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    def answers(self, path: str) -> bool:
        """Whether a GET is answered with 200."""
        try:
            return self._http.get(path).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def get(self, path: str) -> Object:
        """Return an object or a list."""
        return self._send("GET", path).content

    def create(self, path: str, content: Object, *, dry_run: bool = False) -> Answer:
        """Create an object; unknown and doubled fields are refused."""
        return self._send("POST", path, content, parameters=_parameters(dry_run=dry_run))

    def apply(self, path: str, content: Object, *, dry_run: bool = False) -> Answer:
        """Apply an object on the server's side; unknown and doubled fields are refused."""
        parameters = _parameters(dry_run=dry_run) | {"force": "true"}
        return self._send("PATCH", path, content, parameters=parameters, media_type="application/apply-patch+yaml")

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._send("DELETE", path)

    def resources(self) -> dict[tuple[str, str], Resource]:
        """Return all the API server knows, by version and kind."""
        groups = self.get("/apis")["groups"]
        versions = [version["groupVersion"] for group in groups for version in group["versions"]]
        found: dict[tuple[str, str], Resource] = {}
        for version, base in [("v1", "/api/v1"), *((version, f"/apis/{version}") for version in versions)]:
            for one in self.get(base)["resources"]:
                if "/" not in one["name"]:
                    found[version, one["kind"]] = Resource(base, one["name"], one["namespaced"], "list" in one["verbs"])
        return found

    def resource_of(self, content: Object) -> Resource:
        """Return the resource of an object.

        Raises:
            ClusterError: The API server does not know the kind.
        """
        key = (content["apiVersion"], content["kind"])
        try:
            return self.resources()[key]
        except KeyError:
            raise ClusterError(f"The API server does not know the kind {key[1]} of {key[0]}.") from None

    def _send(
        self,
        method: str,
        path: str,
        content: Object | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
        media_type: str = "application/yaml",
    ) -> Answer:
        response = self._patiently(method, path, content, parameters=parameters, media_type=media_type)
        if response.is_error:
            raise RefusedError(response.status_code, _message(response))
        return Answer(response.json(), tuple(response.headers.get_list("warning")))

    def _patiently(
        self, method: str, path: str, content: Object | None, *, parameters: Mapping[str, str] | None, media_type: str
    ) -> httpx.Response:
        """Send once, or as often as the API server asks for."""
        body = yaml.safe_dump(content) if content else None
        headers = {"content-type": media_type} if content else {}
        for _ in range(_MOST_TRIES):
            response = self._http.request(method, path, params=parameters, content=body, headers=headers)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return response
            time.sleep(_TRY_AGAIN_S)  # the server asks for it: too many requests
        raise ClusterError(f"The API server is not ready for {method} {path}.")


def _parameters(*, dry_run: bool) -> dict[str, str]:
    fixed = {"fieldManager": _FIELD_MANAGER, "fieldValidation": "Strict"}
    return fixed | ({"dryRun": "All"} if dry_run else {})


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError):
        return response.text
