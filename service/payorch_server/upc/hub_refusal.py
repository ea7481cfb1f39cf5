"""Refusals of the hub itself: recorded before they are answered, so that no later send of the same id is charged."""

from typing import Final

from payorch_server.store.port import StoreUnavailable
from payorch_server.upc.answers import MEAN_ERROR, REFUSALS_OF_HUB, HubAnswer, Situation, answer_to
from payorch_server.upc.called_requests import CalledRequest
from payorch_server.upc.hub_ledger import HubClaim, HubLedger
from payorch_server.upc.hub_record import HubRecord, RecordUnreadable, decode_hub_record
from payorch_server.upc.request import RequestName, UnusableRequest, idempotency_key

_REFUSALS: Final = frozenset(situation.name for situation in REFUSALS_OF_HUB)


class HubRefusals:
    """Refuses requests for which no gateway is called."""

    def __init__(self, ledger: HubLedger) -> None:
        self._ledger = ledger

    async def refuse(self, request: UnusableRequest, situation: Situation) -> HubAnswer:
        """Return the answer to a request that the hub refuses.

        It means Error only where nothing was sent under any id that the request may have.

        Args:
            request: What can be read of it.
            situation: Why it is refused.
        """
        # 1. A validation moves no money.
        if request.is_validation:
            return answer_to(situation, in_doubt=False)
        # 2. Nothing is known of what was sent before.
        if not request.names:
            return answer_to(Situation.ID_ILLEGIBLE, in_doubt=False)
        # 3. Claim each id that it may have, and look for earlier sends.
        try:
            claims = [await self._claim(name) for name in request.names]
            fresh = [claim for claim in claims if isinstance(claim, HubClaim)]
            in_doubt = Situation.REQUEST_CHANGED in claims or any(
                claim.in_doubt and not claim.was_refused for claim in fresh
            )
            if in_doubt:
                for claim in fresh:
                    await self._ledger.forget(claim)
            else:
                in_doubt = not all([await self._ledger.end(claim, situation, None) for claim in fresh])
        except StoreUnavailable:
            return answer_to(Situation.STORE_UNAVAILABLE, in_doubt=True)
        except RecordUnreadable:
            return answer_to(Situation.RECORD_UNREADABLE, in_doubt=True)
        # 4. Answer, and remember it, should the store lose the record.
        answer = answer_to(situation, in_doubt=in_doubt)
        if answer.answer in MEAN_ERROR:
            for claim in fresh:
                self._note(claim.key, claim.record)
        return answer

    async def challenge(self, request: UnusableRequest) -> HubAnswer:
        """Return the answer to a request that came without credentials.

        An HTTP client may send them only after it was asked for them, so that this refusal does not end the ids.

        Args:
            request: What can be read of it.
        """
        situation = Situation.CREDENTIALS_MISSING
        if request.is_validation:
            return answer_to(situation, in_doubt=False)
        if not request.names:
            return answer_to(Situation.ID_ILLEGIBLE, in_doubt=False)
        keys = [idempotency_key(name) for name in request.names]
        try:
            in_doubt = any([await self._ledger.may_know(key) for key in keys])
        except StoreUnavailable:
            return answer_to(Situation.STORE_UNAVAILABLE, in_doubt=True)
        return answer_to(situation, in_doubt=in_doubt)

    async def _claim(self, name: RequestName) -> HubClaim | Situation:
        """Claim an id; return REFUSED_EARLIER or REQUEST_CHANGED where it has a record, of a refusal or not."""
        fresh = self._ledger.new_record(b"", gateway="", description=None, left_s=0.0)
        opened = await self._ledger.open(idempotency_key(name), fresh)
        if isinstance(opened, HubClaim):
            return opened
        record = decode_hub_record(opened.value)
        if record.end is None or record.end.situation not in _REFUSALS:
            return Situation.REQUEST_CHANGED
        self._note(idempotency_key(name), record)
        return Situation.REFUSED_EARLIER

    def _note(self, key: str, record: HubRecord) -> None:
        refused = CalledRequest("", "", record.first_send_s, 0.0, refused=True, owner=record.owner)
        self._ledger.called.note(key, refused)
