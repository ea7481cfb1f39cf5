"""Pages of other origins cannot use the control endpoints through a developer's browser; programs and the page can."""

import pytest
from contract.zuora_caller import SESSIONS, Caller, CallWith
from zuora_emulator import seed

pytestmark = pytest.mark.asyncio

FAULT = {"fault": "decryption:500"}
OWN = "localhost:9080"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
ENDPOINTS = [
    ("POST", "/_emulator/reset"),
    ("POST", "/_emulator/faults"),
    ("DELETE", "/_emulator/faults"),
    ("PATCH", "/_emulator/switches"),
    ("POST", "/_emulator/clock"),
    ("DELETE", "/_emulator/access-tokens"),
    ("GET", "/_emulator/journal"),
    ("GET", "/_emulator"),
    ("POST", "/_emulator/upc/payments"),
    ("POST", "/_emulator/nothing"),
]


async def added(caller: Caller, **headers: str) -> int:
    """Send what adds a fault with these headers, and return the status; what was refused has added none."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await caller.http.post("/_emulator/faults", json=FAULT, headers=sent)
    assert bool(caller.emulator.faults.waiting()) == (answer.status_code == 200)
    return answer.status_code


class TestAPageOfAnotherOrigin:
    """Its requests are refused before anything is done."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://localhost:3000"},
            {"origin": "http://localhost"},
            {"origin": "http://127.0.0.1:9080"},
            {"origin": "file://"},
            {"origin": "http://["},
            {"origin": "http://localhost:x"},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site", "origin": "http://localhost:3000"},
            {"sec_fetch_site": "cross-site", "origin": "http://localhost:9080"},
            {"sec_fetch_site": "something new"},
        ],
        ids=str,
    )
    async def test_is_refused(self, caller: Caller, headers: dict[str, str]) -> None:
        """Whatever says that it is another one."""
        assert await added(caller, host=OWN, **headers) == 403

    @pytest.mark.parametrize(("method", "path"), ENDPOINTS)
    async def test_is_refused_by_every_endpoint(self, caller: Caller, method: str, path: str) -> None:
        """In one sentence with its origin, also where there is no endpoint."""
        headers = {"host": OWN, "origin": "https://evil.example"}

        answer = await caller.http.request(method, path, headers=headers)

        assert (answer.status_code, "https://evil.example" in answer.json()["message"]) == (403, True)
        assert "access-control-allow-origin" not in answer.headers

    async def test_cannot_let_a_name_of_its_own_point_here(self, call_with: CallWith) -> None:
        """Its origin is then the host that was asked; a name of one's own is allowed by a switch."""
        caller = call_with()
        host, origin = "emulator.evil.example:9080", "http://emulator.evil.example:9080"

        refused = await caller.http.post("/_emulator/reset", headers={"host": host, "origin": origin})
        mine = call_with(control_hosts="other.example,emulator.evil.example")

        assert (refused.status_code, "control_hosts" in refused.json()["message"]) == (403, True)
        assert await added(mine, host=host, origin=origin) == 200

    @pytest.mark.parametrize("headers", [{"user-agent": BROWSER}, {"sec-fetch-site": "same-origin"}], ids=str)
    @pytest.mark.parametrize("path", ["/_emulator/journal", "/_emulator/ledger", "/_emulator"])
    async def test_reads_nothing_under_a_name_of_its_own(
        self, caller: Caller, path: str, headers: dict[str, str]
    ) -> None:
        """A browser sends no origin with a GET to the page's own host."""
        answer = await caller.http.get(path, headers=headers | {"host": "emulator.evil.example:9080"})

        assert (answer.status_code, "control_hosts" in answer.json()["message"]) == (403, True)


class TestTheEmulatorsOwnPage:
    """And programs: their requests go through."""

    @pytest.mark.parametrize(
        ("host", "origin"),
        [
            (OWN, "http://localhost:9080"),
            ("127.0.0.1:9080", "http://127.0.0.1:9080"),
            ("[::1]:9080", "http://[::1]:9080"),
            ("192.168.1.7:9080", "http://192.168.1.7:9080"),
            ("zuora:9080", "http://zuora:9080"),
            ("zuora", "http://zuora:80"),
            ("zuora", "https://zuora"),
            ("host.docker.internal:9080", "http://host.docker.internal:9080"),
            ("ZUORA.local", "http://zuora.local"),
        ],
    )
    async def test_is_served_at_every_local_name(self, caller: Caller, host: str, origin: str) -> None:
        """Addresses, names of services in containers, and names that the public name system does not have."""
        assert await added(caller, host=host, origin=origin) == 200

    async def test_is_served_behind_a_proxy_with_another_host(self, caller: Caller) -> None:
        """The browser itself says that the page is of the same origin, which no page can forge."""
        assert await added(caller, host="upstream", origin="https://emulator.test", sec_fetch_site="same-origin") == 200

    @pytest.mark.parametrize("host", [OWN, "emulator.payments.svc:9080", "emulator.example.com", ""])
    async def test_is_not_needed_by_a_program(self, caller: Caller, host: str) -> None:
        """Without an origin every host is served."""
        assert await added(caller, host=host) == 200

    @pytest.mark.parametrize("host", [OWN, "192.168.1.7:9080", "[::1]:9080", "zuora", "zuora.internal"])
    async def test_may_be_read_by_a_browser(self, caller: Caller, host: str) -> None:
        """At every local name, also where a browser says nothing of its page."""
        answer = await caller.http.get("/_emulator/journal", headers={"host": host, "user-agent": BROWSER})

        assert answer.status_code == 200

    async def test_may_be_opened_by_a_link(self, caller: Caller) -> None:
        """The index, typed into a browser."""
        answer = await caller.http.get("/_emulator", headers={"host": OWN, "sec-fetch-site": "none"})

        assert answer.status_code == 200


class TestRedeemingASession:
    """It stands in for a browser on a page of any origin; the token of the session is its secret."""

    async def test_is_for_every_page(self, caller: Caller) -> None:
        """As Zuora's own script is."""
        body = {"accountId": seed.ACCOUNT_US.id, "currency": "USD", "amount": 1, "processPayment": False}
        token = (await caller.post(SESSIONS, body)).json()["token"]

        answer = await caller.http.post(
            f"/_emulator/sessions/{token}/redeem", json={}, headers={"origin": "https://shop.example"}
        )

        assert answer.status_code == 200
