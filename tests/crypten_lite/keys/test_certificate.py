"""Certificates: what is read, what is refused, and why."""

import contextlib
import itertools
import re
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

from crypten_lite.errors import CertificateError
from crypten_lite.keys.identity import Certificate, Identity, fingerprint_of
from tests.crypten_lite.keys.forged import DAY, SIGNING, aged, self_signed


def test_a_certificate_is_what_its_file_says(alice):
    certificate = alice.certificate
    assert certificate == Certificate.read(alice.certificate_file) == Certificate.of(certificate.der)
    assert certificate.pem == alice.certificate_file.read_text()
    assert certificate.fingerprint == fingerprint_of(certificate.der)
    assert re.fullmatch("sha256:[0-9a-f]{64}", certificate.fingerprint)
    assert (
        certificate.fingerprint[7:]
        == x509.load_der_x509_certificate(certificate.der).fingerprint(SHA256()).hex()
    )
    assert (certificate.name, len(certificate.exchange_key)) == ("alice", 32)


CURVE = ec.generate_private_key(ec.SECP256R1())
NONE_OF_OURS = {
    "other key": lambda: self_signed(CURVE, hashed=SHA256()),
    "signed by another": lambda: self_signed(SIGNING, by=ed25519.Ed25519PrivateKey.generate()),
    "no exchange key": lambda: self_signed(SIGNING, extension=None),
    "short exchange key": lambda: self_signed(SIGNING, extension=b"\x04\x1f" + b"\x09" * 31),
    "authority": lambda: self_signed(SIGNING, ca=True),
    "name of a path": lambda: self_signed(SIGNING, common="../eve"),
}


def test_what_differs_in_nothing_is_read():
    assert Certificate.of(self_signed(SIGNING)).name == "eve"


@pytest.mark.parametrize("made", NONE_OF_OURS.values(), ids=NONE_OF_OURS)
def test_a_certificate_of_another_kind_is_refused(made, tmp_path):
    (tmp_path / "eve.crt").write_text(ssl.DER_cert_to_PEM_cert(made()))
    with pytest.raises(CertificateError, match=r"eve.crt is no certificate of a party: make one with"):
        Certificate.read(tmp_path / "eve.crt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no certificate"),
        (b"\x00\xff rubbish", "holds no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificate"),
    ],
)
def test_rubbish_is_no_certificate(tmp_path, content, message):
    (tmp_path / "x.crt").write_bytes(content)
    with pytest.raises(CertificateError, match=f"x.crt {message}"):
        Certificate.read(tmp_path / "x.crt")


def test_files_that_are_none_say_which(tmp_path, alice, bob):
    with pytest.raises(
        CertificateError, match=r"none.crt: no certificate can be read: No such file or directory\."
    ):
        Certificate.read(tmp_path / "none.crt")
    with pytest.raises(
        CertificateError, match=r": no certificate can be read: not a plain file\.|Is a directory"
    ):
        Certificate.read(tmp_path)
    (tmp_path / "both.crt").write_text(alice.certificate.pem + bob.certificate.pem)
    with pytest.raises(
        CertificateError, match=r"both.crt holds 2 certificates: give each party's its own file"
    ):
        Certificate.read(tmp_path / "both.crt")
    with pytest.raises(
        CertificateError, match=r"alice.key holds no certificate \(a PEM file that ends in .crt\)"
    ):
        Certificate.read(alice.key_file)


def test_every_flipped_bit_of_a_certificate_is_refused(alice):
    """But one that no signature covers: how many bits of its last byte are unused. The fingerprint covers it."""
    good = alice.certificate
    unused = len(good.der) - 65
    for place, bit in itertools.product(range(len(good.der)), range(8)):
        changed = bytearray(good.der)
        changed[place] ^= 1 << bit
        with contextlib.suppress(CertificateError):
            read = Certificate.of(bytes(changed))
            assert (place, read.name, read.exchange_key) == (unused, good.name, good.exchange_key)
            assert read.fingerprint != good.fingerprint


DATES = [
    (
        -3 * DAY,
        -DAY,
        r"the certificate of old expired on {end:%Y-%m-%d %H:%M} UTC; let its owner make a new one",
    ),
    (
        DAY,
        3 * DAY,
        r"the certificate of old is valid only from {start:%Y-%m-%d %H:%M} UTC; this machine's clock says",
    ),
]


@pytest.mark.parametrize(("start", "end", "message"), DATES, ids=["expired", "not yet valid"])
def test_dates_are_checked_at_reading(tmp_path, start, end, message):
    old = aged("old", tmp_path, start, end)
    found = x509.load_der_x509_certificate(old.certificate.der)
    message = message.format(start=found.not_valid_before_utc, end=found.not_valid_after_utc)
    with pytest.raises(CertificateError, match=message):  # a peer's
        Certificate.read(old.certificate_file)
    with pytest.raises(CertificateError, match=message):  # one's own
        Identity.read(old.key_file, old.certificate_file)
