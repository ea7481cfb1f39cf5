import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.errors import NotSent
from payorch_server.model.outcome import Reason
from payorch_server.zuora.limits import InFlight, Place

US: Place = ("acme", "us")
EU: Place = ("acme", "eu")
SOLO: Place = ("solo", "")


class TestInFlight:
    """Calls are counted where Zuora counts them."""

    def test_refuses_one_too_many(self) -> None:
        """Nothing is sent, and a resend is safe."""
        in_flight = InFlight()
        in_flight.enter(US, most=1)

        with pytest.raises(NotSent) as caught:
            in_flight.enter(US, most=1)

        assert (caught.value.failure.reason, caught.value.failure.metadata) == (Reason.OVERLOADED, {"tenant": "acme"})

    def test_tells_how_many_there_are(self) -> None:
        """Places without a call are forgotten, so nothing grows."""
        in_flight = InFlight()
        in_flight.enter(US, most=1)
        in_flight.enter(SOLO, most=1)
        in_flight.leave(US)

        assert repr(in_flight) == "InFlight(1 calls to 1 places)"

    @given(st.lists(st.tuples(st.sampled_from([US, EU, SOLO]), st.booleans()), max_size=60), st.integers(1, 4))
    def test_never_lets_more_in_than_are_allowed(self, steps: list[tuple[Place, bool]], most: int) -> None:
        """And refuses nobody where there is room; places do not touch each other."""
        in_flight, inside = InFlight(), {US: 0, EU: 0, SOLO: 0}

        for place, enters in steps:
            if not enters and inside[place]:
                in_flight.leave(place)
                inside[place] -= 1
            elif enters and inside[place] == most:
                with pytest.raises(NotSent):
                    in_flight.enter(place, most=most)
            elif enters:
                in_flight.enter(place, most=most)
                inside[place] += 1

        assert repr(in_flight).startswith(f"InFlight({sum(inside.values())} calls")
