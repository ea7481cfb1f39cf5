"""OpenSSL's command line verifies and opens what is minted; it must be present, not skipped."""

import base64
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from harness.apple_tokens import ACCOUNT_NUMBER, MERCHANT, NOW, decoded, foreign_chain, mint
from zuora_emulator.apple_pay import AppleAuthority, Spoiling, variant_arguments

VARIANTS = [(), ("der",), ("emv",), ("second_key",), ("leading_zero_secret",), ("rsa",), ("rsa", "der", "second_key")]
GCM_NONCE = "00" * 16
TAG_BYTES = 16


class OpenSsl:
    """The command line, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("openssl")
        if program is None:
            pytest.fail(
                "OpenSSL's command line is needed, and openssl is not on the PATH (Debian: apt-get install openssl)."
            )
        self.folder, self._program = folder, program

    def run(
        self, *arguments: str, expected: int | None = 0, content: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Return a finished command; `expected` is its exit code, None any but 0."""
        finished = subprocess.run(  # noqa: S603 - fixed words
            [self._program, *arguments], cwd=self.folder, check=False, capture_output=True, input=content
        )
        assert finished.returncode == expected if expected is not None else finished.returncode, finished.stderr
        return finished

    def write(self, **contents: bytes) -> None:
        """Write files by name."""
        for name, content in contents.items():
            (self.folder / name).write_bytes(content)


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSsl:
    """OpenSSL with the test root, the processing keys and nothing else."""
    tool = OpenSsl(tmp_path)
    merchant = AppleAuthority.published().merchant(MERCHANT)
    tool.write(root=AppleAuthority.published().root.public_bytes(Encoding.PEM))
    for kind, keys in (("EC_v1", merchant.keys), ("RSA_v1", merchant.rsa_keys)):
        for index, key in enumerate(keys):
            private = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            tool.write(**{f"{kind}-{index}": private})
    return tool


def minted(*names: str, **more: Any) -> dict[str, Any]:
    return mint(application_data=b"order 17", **variant_arguments(names), **more)


def signed_content(token: dict[str, Any]) -> bytes:
    """Return what the signature is detached from."""
    header = token["header"]
    tail = bytes.fromhex(header["transactionId"] + header.get("applicationData", ""))
    key = base64.b64decode(header.get("ephemeralPublicKey") or header["wrappedKey"])
    return key + decoded(token, "data") + tail


def verified(openssl: OpenSsl, token: dict[str, Any], content: bytes, *, expected: int | None) -> str:
    """Return what `openssl cms -verify` writes about the signature and its chain."""
    openssl.write(content=content, signature=decoded(token, "signature"))
    words = "cms -verify -inform DER -in signature -content content -binary -out out -CAfile root -purpose any -attime"
    return openssl.run(*words.split(), str(int(NOW.timestamp())), expected=expected).stderr.decode().lower()


class TestSignature:
    """OpenSSL agrees on signature and chain."""

    @pytest.mark.parametrize("names", VARIANTS, ids=lambda names: "+".join(names) or "usual")
    def test_verifies(self, openssl: OpenSsl, names: tuple[str, ...]) -> None:
        """The chain ends at the test root, and the signature covers the four members."""
        token = minted(*names)

        assert "verification successful" in verified(openssl, token, signed_content(token), expected=0)

    @pytest.mark.parametrize("names", [(), ("rsa",)])
    def test_does_not_verify_other_content(self, openssl: OpenSsl, names: tuple[str, ...]) -> None:
        """The agreement above means something."""
        token = minted(*names)

        assert "verification failure" in verified(openssl, token, signed_content(token) + b"!", expected=None)

    @pytest.mark.parametrize("names", [(), ("rsa",)])
    def test_does_not_verify_a_foreign_root(self, openssl: OpenSsl, names: tuple[str, ...]) -> None:
        """OpenSSL really looks at the chain."""
        chain = foreign_chain(rsa_leaf="rsa" in names)
        token = minted(*names, spoiling=Spoiling(chain=chain))

        assert "certificate" in verified(openssl, token, signed_content(token), expected=None)

    @pytest.mark.parametrize("rsa_leaf", [False, True])
    def test_certificates_chain_one_by_one(self, openssl: OpenSsl, rsa_leaf: bool) -> None:  # noqa: FBT001 - a table
        """Also by `openssl verify`, for the certificates that sign and for those of the merchant."""
        chain = AppleAuthority.published().signing_chain(now=NOW, rsa_leaf=rsa_leaf)
        merchant = AppleAuthority.published().merchant(MERCHANT)
        openssl.write(intermediate=chain.intermediate.public_bytes(Encoding.PEM))
        certificates = [chain.leaf, *(key.certificate for key in (merchant.rsa_keys if rsa_leaf else merchant.keys))]

        for certificate in certificates:
            openssl.write(certificate=certificate.public_bytes(Encoding.PEM))
            words = "verify -x509_strict -CAfile root -untrusted intermediate -attime"
            assert openssl.run(*words.split(), str(int(NOW.timestamp())), "certificate").stdout == b"certificate: OK\n"


class TestContent:
    """OpenSSL gets the clear text out, with the merchant's private key alone."""

    @pytest.mark.parametrize("names", VARIANTS, ids=lambda names: "+".join(names) or "usual")
    def test_opens(self, openssl: OpenSsl, names: tuple[str, ...]) -> None:
        """Key agreement or unwrapping, key derivation and decryption, without a line of ours."""
        token = minted(*names)
        key_file = f"{token['version']}-{1 if 'second_key' in names else 0}"

        content_key = (unwrapped if "rsa" in names else agreed)(openssl, token, key_file)
        clear = json.loads(decrypted(openssl, decoded(token, "data"), content_key))

        assert clear["applicationPrimaryAccountNumber"] == ACCOUNT_NUMBER
        assert clear["transactionAmount"] == 1999
        assert clear["paymentDataType"] == ("EMV" if "emv" in names else "3DSecure")

    def test_leading_zero_counts(self, openssl: OpenSsl) -> None:
        """The variant has a secret that begins with a zero byte, and OpenSSL keeps all 32."""
        secret = shared_secret(openssl, minted("leading_zero_secret"), "EC_v1-0")

        assert (len(secret), secret[0]) == (32, 0)


def shared_secret(openssl: OpenSsl, token: dict[str, Any], key_file: str) -> bytes:
    openssl.write(peer=decoded(token, "ephemeralPublicKey"))
    return openssl.run(*f"pkeyutl -derive -inkey {key_file} -peerkey peer -peerform DER".split()).stdout


def agreed(openssl: OpenSsl, token: dict[str, Any], key_file: str) -> bytes:
    """Return the content key of EC_v1: OpenSSL names the derivation SSKDF."""
    info = b"\x0did-aes256-GCM" + b"Apple" + hashlib.sha256(MERCHANT.encode()).digest()
    secret = shared_secret(openssl, token, key_file)
    options = ["-kdfopt", "digest:SHA256", "-kdfopt", f"hexkey:{secret.hex()}", "-kdfopt", f"hexinfo:{info.hex()}"]
    return openssl.run("kdf", "-keylen", "32", *options, "-binary", "SSKDF").stdout


def unwrapped(openssl: OpenSsl, token: dict[str, Any], key_file: str) -> bytes:
    """Return the content key of RSA_v1."""
    openssl.write(wrapped=decoded(token, "wrappedKey"))
    words = f"pkeyutl -decrypt -inkey {key_file} -in wrapped -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256"
    return openssl.run(*words.split(), "-pkeyopt", "rsa_mgf1_md:sha256").stdout


def decrypted(openssl: OpenSsl, data: bytes, key: bytes) -> bytes:
    """Return the clear text of AES-256-GCM, after checking its tag.

    The command line has no GCM, but both of its halves: the counter mode, and GMAC, whose tag of nothing is the
    encrypted first counter block. GMAC authenticates associated data where a token has ciphertext; the two differ in
    the block of lengths, so the tag is compared after multiplying that difference by the hash key.
    """
    ciphertext, tag = data[:-TAG_BYTES], data[-TAG_BYTES:]
    hexadecimal = key.hex()
    options = ["-macopt", "cipher:AES-256-GCM", "-macopt", f"hexkey:{hexadecimal}", "-macopt", f"hexiv:{GCM_NONCE}"]

    def gmac(content: bytes) -> bytes:
        return openssl.run("mac", *options, "-binary", "-in", "-", "GMAC", content=content).stdout

    def cipher(*words: str, content: bytes) -> bytes:
        return openssl.run("enc", *words, "-nopad", "-K", hexadecimal, content=content).stdout

    first_block = cipher("-d", "-aes-256-ecb", content=gmac(b""))
    hash_key = cipher("-aes-256-ecb", content=bytes(16))
    bits = (8 * len(ciphertext)).to_bytes(8)
    assert xor(gmac(ciphertext), multiplied(bits + bits, hash_key)) == tag
    counter = first_block[:12] + (int.from_bytes(first_block[12:]) + 1 & 0xFFFFFFFF).to_bytes(4)
    return cipher("-d", "-aes-256-ctr", "-iv", counter.hex(), content=ciphertext)


def multiplied(left: bytes, right: bytes) -> bytes:
    """Return the product in the field of GCM (NIST SP 800-38D section 6.3)."""
    product, factor, rest = 0, int.from_bytes(right), int.from_bytes(left)
    for bit in range(127, -1, -1):
        product ^= factor if rest >> bit & 1 else 0
        factor = factor >> 1 ^ (0xE1 << 120 if factor & 1 else 0)
    return product.to_bytes(16)


def xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left) ^ int.from_bytes(right)).to_bytes(len(left))
