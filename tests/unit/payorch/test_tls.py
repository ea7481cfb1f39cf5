"""What TLS is made of, and that it is read again."""

from pathlib import Path

import grpc
import pytest
from harness.authority import Authority
from payorch import Tls
from payorch.links import Links
from payorch.timing import SYSTEM, Timing

AUTHORITY = Authority()


def files(folder: Path) -> dict[str, str]:
    """Write an authority and a certificate with its key; return their names."""
    certificate, key = AUTHORITY.issue("client").write(folder, "client")
    (folder / "authority.pem").write_bytes(AUTHORITY.certificate)
    return {"ca_file": str(folder / "authority.pem"), "certificate_file": certificate, "key_file": key}


class TestTls:
    """What cannot work is refused before a call."""

    def test_does_not_show_its_key(self) -> None:
        """Neither in a traceback nor in a log."""
        issued = AUTHORITY.issue("client")

        assert issued.key.decode() not in repr(Tls(certificate=issued.certificate, key=issued.key))

    def test_is_read_from_files(self, tmp_path: Path) -> None:
        """All three, or only the authority."""
        names = files(tmp_path)

        assert Tls.from_files(**names).certificate == Path(names["certificate_file"]).read_bytes()
        assert Tls.from_files(ca_file=names["ca_file"]).key is None

    @pytest.mark.parametrize(
        ("file", "content", "problem"),
        [
            ("ca_file", b"nonsense", "the ca is not in PEM form: "),
            ("ca_file", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "the ca cannot be read as"),
            ("certificate_file", b"", "the certificate is not in PEM form: "),
            ("key_file", b"nonsense", "the key is not in PEM form: "),
            (
                "key_file",
                AUTHORITY.issue("another").key,
                "the key is not readable, or is not that of the certificate: ",
            ),
        ],
    )
    def test_names_the_file_that_is_wrong(self, tmp_path: Path, file: str, content: bytes, problem: str) -> None:
        """GRPC would say so only as a failed call."""
        names = files(tmp_path)
        Path(names[file]).write_bytes(content)

        with pytest.raises(ValueError, match=f"^tls: {problem}"):
            Tls.from_files(**names)

    def test_wants_certificate_and_key_together(self) -> None:
        """One without the other shows nothing."""
        with pytest.raises(ValueError, match="certificate and key come together"):
            Tls(certificate=AUTHORITY.certificate)

    def test_names_a_file_that_is_missing(self, tmp_path: Path) -> None:
        """As Python does."""
        with pytest.raises(FileNotFoundError, match="nowhere"):
            Tls.from_files(ca_file=str(tmp_path / "nowhere"))

    def test_credentials_are_grpcs(self, tmp_path: Path) -> None:
        """What a channel takes."""
        assert isinstance(Tls.from_files(**files(tmp_path)).credentials(), grpc.ChannelCredentials)


class _Clock:
    now_s = 0.0

    def timing(self) -> Timing:
        return Timing(lambda: self.now_s, SYSTEM.unix_s, SYSTEM.uniform)


class TestLinks:
    """Certificates of an hour outlive no process that way."""

    def test_show_a_renewed_certificate_to_later_calls(self, tmp_path: Path) -> None:
        """The old channel is closed once its last call has ended."""
        clock, made = _Clock(), list[Tls | None]()
        names = files(tmp_path)
        links = Links(lambda tls: made.append(tls) or len(made), Tls.from_files(**names), clock.timing())
        early = links.take()
        files(tmp_path)
        still = links.take()
        clock.now_s = 10.0
        late = links.take()

        assert (1, 1, 2) == (early.channel, still.channel, late.channel)
        assert made[1] == Tls.from_files(**names)
        assert [[], [1], []] == [links.give_back(link) for link in (early, still, late)]
        assert [2] == links.all()

    def test_keep_what_works_while_files_are_replaced(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """A key without its certificate is of no use."""
        clock = _Clock()
        links = Links(lambda _tls: object(), Tls.from_files(**files(tmp_path)), clock.timing())
        before = links.take()
        (tmp_path / "client.key").write_bytes(AUTHORITY.issue("another").key)
        clock.now_s = 10.0

        assert before is links.take()
        assert "the certificates are not renewed" in caplog.text

    def test_look_at_files_that_have_not_changed(self, tmp_path: Path) -> None:
        """And keep the channel."""
        clock = _Clock()
        links = Links(lambda _tls: object(), Tls.from_files(**files(tmp_path)), clock.timing())
        before = links.take()
        clock.now_s = 20.0

        assert before is links.take()
