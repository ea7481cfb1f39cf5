import pytest
from payorch_server.rpc.identity import identities_in

SHOP = "spiffe://example.org/ns/shop/sa/checkout"


@pytest.mark.parametrize(
    ("uris", "names", "expected", "reason"),
    [
        ([SHOP], ["a.shop"], (SHOP, "dns:a.shop"), "URIs first: they are the more specific"),
        (["https://a.shop", SHOP], [], ("https://a.shop", SHOP), "any scheme, in the certificate's order"),
        ([], ["a.shop", "b.shop"], ("dns:a.shop", "dns:b.shop"), "several names"),
        ([], [], (), "a certificate without names"),
        (["jwt:checkout"], [], (), "an authority of certificates does not vouch for tokens"),
        (["mesh:checkout"], [], (), "nor for a mesh"),
        (["dns:a.shop"], [], (), "a URI is no DNS name: an authority may be bound in one of them alone"),
        (["JWT:checkout", "Mesh:x", "dNs:a"], [], (), "in whatever letters"),
        (["anonymous", ""], [""], (), "no URI at all, and nobody"),
        (["jwt:checkout", SHOP], ["a.shop"], (SHOP, "dns:a.shop"), "the others count"),
        ([], ["jwt:checkout"], ("dns:jwt:checkout",), "a name is one, whatever it looks like"),
    ],
)
def test_identities_are_of_their_own_kind(
    uris: list[str], names: list[str], expected: tuple[str, ...], reason: str
) -> None:
    """No certificate makes its owner somebody whom only another source can vouch for."""
    assert expected == identities_in(uris, names), reason
