"""What the token endpoint answered: a token with its life, or why there is none."""

import re
from typing import Final
from urllib.parse import urlsplit

from payorch_server.model.errors import CallError, Failure, UpstreamEvidence, call_error, error_for
from payorch_server.model.outcome import Reason
from payorch_server.zuora.answer_body import read_object
from payorch_server.zuora.errors import retry_after_s
from payorch_server.zuora.messages import HttpResponse, JsonObject
from payorch_server.zuora.settings import PRODUCTION_HOSTS

# What a bearer token may be made of. Source: RFC 6750, section 2.1, b64token; wider, as other issuers write.
_TOKEN: Final = re.compile(r"[!-~]+")
# Every answer of the emulator of this project has it.
_EMULATOR: Final = "zuora-emulator"
# Zuora documents one hour and its sample assumes that when expires_in is missing.
_DEFAULT_LIFE_S: Final = 3600.0


def refuse_emulator(url: str, answer: HttpResponse) -> None:
    """Refuse tokens of an emulator on a production host: its answers about money would be invented."""
    if _EMULATOR in answer.headers and urlsplit(url).hostname in PRODUCTION_HOSTS:
        raise call_error(Reason.TOKEN_UNAVAILABLE, "an emulator answers in the place of Zuora's production")


def read_token(answer: HttpResponse) -> tuple[str, float]:
    """Return the token in an answer, and how long it lives.

    Raises:
        CallError: There is none that can be used. Its text names status and kind of body, and no value.
    """
    payload = read_object(answer)
    value = (payload or {}).get("access_token")
    # 1. The credentials are refused.
    if answer.status in {400, 401, 403}:
        raise _no_token(answer, payload, Reason.UPSTREAM_CREDENTIALS_REJECTED)
    # 2. Another failure, or a success without a token.
    if answer.status != 200 or not value:  # noqa: PLR2004 - HTTP's own number
        raise _no_token(answer, payload)
    # 3. A token that cannot be sent.
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise call_error(Reason.TOKEN_UNAVAILABLE, "the access_token cannot be sent in a header")
    return value, _life_s((payload or {}).get("expires_in"))


def _no_token(answer: HttpResponse, payload: JsonObject | None, reason: Reason = Reason.TOKEN_UNAVAILABLE) -> CallError:
    """Return the error for an answer without a token: its status and the kind of its body, none of its values."""
    if payload is None:
        kind = "a body that is not a JSON object" if answer.body else "an empty body"
    else:
        kind = f"a JSON object {'with' if payload.get('access_token') else 'without'} access_token"
    evidence = UpstreamEvidence(retry_after_s=retry_after_s(answer))
    return error_for(Failure(reason, f"the token endpoint answered {answer.status} with {kind}", evidence=evidence))


def _life_s(expires_in: object) -> float:
    """Return the token's lifetime; anything but a positive number counts as the documented hour."""
    try:
        life_s = float(str(expires_in))
    except ValueError:
        return _DEFAULT_LIFE_S
    return life_s if 0 < life_s <= 24 * _DEFAULT_LIFE_S else _DEFAULT_LIFE_S
