"""Calls to Zuora on a route: headers, token, attempts, and what the answer means."""

import dataclasses
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from payorch_server.model.attempt import Attempt, UpstreamFacts, UpstreamPreview
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, failure, refuse
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import Route
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the token goes on the wire here
from payorch_server.runtime.clock import Clock
from payorch_server.zuora.calls import Answer, Call, JsonObject, Reply, decode_object, encode_body, preview_body
from payorch_server.zuora.errors import classify
from payorch_server.zuora.settings import TenantSettings
from payorch_server.zuora.tokens import Credential, Token, TokenCache
from payorch_server.zuora.transport import HttpPost, Transport

# Below this nothing is sent: an answer could hardly arrive in time, and the outcome would be unknown.
MIN_REMAINING_S: Final = 0.15
# What is left to the service to encode the answer.
_ENCODING_S: Final = 0.05


class ZuoraClient:
    """The tenants' Zuora, by route."""

    def __init__(
        self,
        *,
        tenants: Mapping[str, TenantSettings],
        secrets: Mapping[str, Secret[str]],
        transport: Transport,
        tokens: TokenCache,
        clock: Clock,
    ) -> None:
        self._tenants = tenants
        self._secrets = secrets
        self._transport = transport
        self._tokens = tokens
        self._clock = clock

    def tenant(self, route: Route) -> TenantSettings:
        """Return the settings of the route's tenant."""
        return self._tenants[route.tenant]

    async def warm(self, tenant: str, *, timeout_s: float) -> None:
        """Fetch a token for the whole client, to learn whether the tenant's credentials work."""
        await self._tokens.get(self._credential(tenant, ""), timeout_s=timeout_s)

    async def execute(self, call: Call, *, route: Route, context: CallContext, key: IdempotencyKey) -> Reply:
        """Send the call, once more with a new token if the first is refused, and return its successful answer.

        Raises:
            CallError: Any of its kinds, with everything known about the attempts.
        """
        body, headers = encode_body(call.body), self._headers(call, route, context, key)
        credential = self._credential(route.tenant, route.entity_id)
        attempts: tuple[Attempt, ...] = ()
        while True:
            token = await self._token(credential, context, attempts)
            post = self._post(call, route, headers, token, body, ordinal=len(attempts) + 1)
            answer, payload, attempts = await self._attempt(post, context, attempts)
            facts = _facts(answer, payload, attempts)
            error = classify(answer, payload, facts)
            if error is None:
                return Reply(answer.status, payload or {}, facts)
            # A 401 is given before anything is executed, so the same key may go out once more with another token.
            if error.failure.reason is not Reason.UPSTREAM_CREDENTIALS_REJECTED or len(attempts) > 1:
                raise error
            self._tokens.retire(credential, token)

    def preview(self, call: Call, *, route: Route, context: CallContext, key: IdempotencyKey) -> UpstreamPreview:
        """Return what execute would send, without its token and with every secret replaced."""
        headers = self._headers(call, route, context, key)
        return UpstreamPreview("POST", self._url(call, route), tuple(sorted(headers.items())), preview_body(call.body))

    async def _token(self, credential: Credential, context: CallContext, attempts: tuple[Attempt, ...]) -> Token:
        try:
            return await self._tokens.get(credential, timeout_s=self._remaining(context))
        except CallError as error:
            raise _with_facts(error, UpstreamFacts(attempts)) from error

    async def _attempt(
        self, post: HttpPost, context: CallContext, attempts: tuple[Attempt, ...]
    ) -> tuple[Answer, JsonObject | None, tuple[Attempt, ...]]:
        timeout_s = self._remaining(context)
        started_at, started_s = self._clock.now(), self._clock.monotonic()

        def attempt(status: int, request_id: str, outcome: Outcome) -> tuple[Attempt, ...]:
            duration_s = self._clock.monotonic() - started_s
            return (*attempts, Attempt(post.ordinal, status, request_id, started_at, duration_s, outcome))

        try:
            answer = await self._transport.post(post, timeout_s=timeout_s)
        except CallError as error:
            tried = attempt(0, "", error.verdict.outcome)
            raise _with_facts(error, UpstreamFacts(tried)) from error
        payload = decode_object(answer.body)
        meant = classify(answer, payload, UpstreamFacts())
        outcome = Outcome.SUCCEEDED if meant is None else meant.verdict.outcome
        return answer, payload, attempt(answer.status, answer.headers.get("zuora-request-id", ""), outcome)

    def _remaining(self, context: CallContext) -> float:
        remaining_s = context.deadline_s - self._clock.monotonic() - _ENCODING_S
        if remaining_s < MIN_REMAINING_S:
            raise refuse(Reason.DEADLINE_TOO_SHORT, f"{remaining_s:.3f} s are left before the deadline")
        return remaining_s

    def _credential(self, tenant_name: str, entity_id: str) -> Credential:
        tenant = self._tenants[tenant_name]
        narrowed = entity_id if tenant.token_scope == "entity" else ""  # noqa: S105 - not a password
        url = tenant.origin + tenant.paths.token
        return Credential(url, tenant.paths.token, tenant.client_id, self._secrets[tenant_name], narrowed)

    def _url(self, call: Call, route: Route) -> str:
        query = f"?{urlencode(call.query)}" if call.query else ""
        return f"{self._tenants[route.tenant].origin}{call.path}{query}"

    def _headers(self, call: Call, route: Route, context: CallContext, key: IdempotencyKey) -> dict[str, str]:
        headers = {
            "content-type": "application/json",
            "zuora-track-id": context.track_id,
            "idempotency-key": key,
        }
        if route.entity_id:
            headers["zuora-entity-ids"] = route.entity_id
        if route.org_ids:
            headers["zuora-org-ids"] = ",".join(route.org_ids)
        if call.versioned:
            headers["zuora-version"] = self._tenants[route.tenant].zuora_version
        return headers

    def _post(
        self, call: Call, route: Route, headers: Mapping[str, str], token: Token, body: bytes, *, ordinal: int
    ) -> HttpPost:
        authorised = {**headers, "authorization": f"Bearer {reveal(token.value)}"}
        return HttpPost(self._url(call, route), authorised, body, call.path, ordinal)


def _facts(answer: Answer, payload: Mapping[str, object] | None, attempts: tuple[Attempt, ...]) -> UpstreamFacts:
    process_id = (payload or {}).get("processId")
    return UpstreamFacts(
        attempts=attempts,
        zuora_request_id=answer.headers.get("zuora-request-id", ""),
        zuora_process_id=process_id if isinstance(process_id, str) else "",
        echoed_track_id=answer.headers.get("zuora-track-id", ""),
    )


def _with_facts(error: CallError, facts: UpstreamFacts) -> CallError:
    return failure(dataclasses.replace(error.failure, facts=facts))
