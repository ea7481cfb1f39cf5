import pytest
from payorch_server.rpc.identity import identities_in

SHOP = "spiffe://example.org/ns/shop/sa/checkout"


FALSE_IDS = [
    "spiffe://corp/ns/shop/../admin/sa/x",
    "spiffe://corp/ns/./shop",
    "spiffe://corp/ns/shop/..",
    "spiffe://corp/..",
    "spiffe://corp//ns",
    "spiffe://corp/ns/",
    "spiffe://corp/",
    "spiffe:///ns",
    "spiffe://",
    "spiffe:corp/ns",
    "spiffe://corp/ns/shop%2fadmin",
    "spiffe://corp/ns/%2e%2e/admin",
    "spiffe://Corp/ns",
    "SPIFFE://corp/ns",
    "spiffe://corp:443/ns",
    "spiffe://user@corp/ns",
    "spiffe://corp/ns?a=b",
    "spiffe://corp/ns#a",
    "spiffe://corp/ns\\admin",
    "spiffe://corp/n\u0455",
    "spiffe://corp/ns\n",
]


@pytest.mark.parametrize("uri", FALSE_IDS)
def test_a_malformed_spiffe_id_is_no_identity(uri: str) -> None:
    """A prefix of the access policy would match it, and another reader would take it for another id."""
    assert identities_in([uri], []) == ()
    assert identities_in([uri, SHOP], ["a.shop"]) == (SHOP, "dns:a.shop")


@pytest.mark.parametrize("uri", ["spiffe://corp", "spiffe://corp/...", "spiffe://a.b_c-1/ns/.x/sa/a..b"])
def test_an_unusual_spiffe_id_is_one(uri: str) -> None:
    """Dots are refused only where they are a whole segment."""
    assert identities_in([uri], []) == (uri,)


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
