import re
from pathlib import Path

import pytest
from grpc._cython import cygrpc
from payorch_server.rpc import server

OPTIONS = re.findall(r'\("(grpc\.[a-z0-9_.]+)", ', Path(server.__file__).read_text())


class TestOptions:
    """What we ask of gRPC."""

    def test_are_found(self) -> None:
        """The test below sees them."""
        assert len(OPTIONS) >= 9

    @pytest.mark.parametrize("name", OPTIONS)
    def test_are_known_to_grpc(self, name: str) -> None:
        """It ignores a name that it does not know without a word."""
        assert name.encode() in Path(cygrpc.__file__).read_bytes()
