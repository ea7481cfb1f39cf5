"""The one CMS form in which a token's signature may be written, down to the byte.

A signature leaves parts of its own envelope unsigned (versions, algorithm lists, lengths). Writing the envelope again
from its signed parts and comparing bytes is what refuses a change in any of them.

Source: RFC 5652 sections 5.1 to 5.4; the indefinite-length form is that of tokens made by devices, read 2026-11-20.
"""

from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

SHA256_ABSENT = bytes.fromhex("300b0609608648016503040201")
SHA256_NULL = bytes.fromhex("300d06096086480165030402010500")  # RFC 5754 section 2: both are to be read
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")

_OID_DATA = bytes.fromhex("06092a864886f70d010701")
_OID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_VERSION_1 = bytes.fromhex("020101")
_INTEGER, _BIT_STRING, _OCTETS, _SEQUENCE, _SET, _CONTEXT_0 = 0x02, 0x03, 0x04, 0x30, 0x31, 0xA0
_LONG_FORM = 0x80
_END_OF_CONTENTS = b"\x00\x00"


def definite(tag: int, *parts: bytes) -> bytes:
    """Return a DER element of the joined parts."""
    content = b"".join(parts)
    length = len(content)
    if length < _LONG_FORM:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, _LONG_FORM | len(octets))) + octets + content


def indefinite(tag: int, *parts: bytes) -> bytes:
    """Return a BER element without a length: it ends at its end-of-contents octets."""
    return bytes((tag, _LONG_FORM)) + b"".join(parts) + _END_OF_CONTENTS


def signed_attributes_set(attributes: bytes) -> bytes:
    """Return the signed bytes: the attributes as a SET, not under the tag they travel with."""
    return definite(_SET, attributes)


def certificate(tbs: bytes, signature: bytes) -> bytes:
    """Return the certificate of a to-be-signed part and its ECDSA-SHA256 signature."""
    return definite(_SEQUENCE, tbs, ECDSA_SHA256, definite(_BIT_STRING, b"\x00", signature))


def signer_info(*, leaf: x509.Certificate, attributes: bytes, signature: bytes, digest: bytes) -> bytes:
    """Return the SignerInfo that names `leaf` by issuer and serial number.

    Args:
        leaf: The signer's certificate.
        attributes: The content of the signed attributes, without tag and length.
        signature: DER of the ECDSA signature, or the RSA signature, as the leaf's key is.
        digest: The digest algorithm, one of the SHA256 constants.
    """
    serial = leaf.serial_number
    serial_octets = serial.to_bytes(serial.bit_length() // 8 + 1)  # one bit more than needed keeps it positive
    signer = definite(_SEQUENCE, leaf.issuer.public_bytes(), definite(_INTEGER, serial_octets))
    return definite(
        _SEQUENCE,
        _VERSION_1,
        signer,
        digest,
        definite(_CONTEXT_0, attributes),
        RSA_SHA256 if isinstance(leaf.public_key(), rsa.RSAPublicKey) else ECDSA_SHA256,
        definite(_OCTETS, signature),
    )


def signed_data(*, certificates: Sequence[bytes], signer: bytes, digest: bytes, ber: bool) -> bytes:
    """Return a detached SignedData with its ContentInfo.

    Args:
        certificates: DER of each, in the order to be written.
        signer: The only SignerInfo.
        digest: The digest algorithm, one of the SHA256 constants.
        ber: True writes the outer elements with indefinite lengths, as devices do; False writes DER.
    """
    wrap: Callable[..., bytes] = indefinite if ber else definite
    body = wrap(
        _SEQUENCE,
        _VERSION_1,
        definite(_SET, digest),
        wrap(_SEQUENCE, _OID_DATA),
        wrap(_CONTEXT_0, *certificates),
        definite(_SET, signer),
    )
    return wrap(_SEQUENCE, _OID_SIGNED_DATA, wrap(_CONTEXT_0, body))
