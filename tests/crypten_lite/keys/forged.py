"""Certificates that `create` would not make: of other dates, and of other kinds."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from crypten_lite.keys import certificate as certificates
from crypten_lite.keys import identity as identities
from crypten_lite.keys.identity import Certificate, Identity, create, fingerprint_of

DAY = timedelta(days=1)


def aged(name: str, folder: Path, start: timedelta, end: timedelta) -> Identity:
    """An identity whose certificate is valid from and to other dates: nobody checked it."""
    made, now = create(name, folder), datetime.now(UTC)
    signing, _ = identities._private_keys(made.key_file)
    public = made.certificate.exchange_key
    der = certificates.issued(name, signing, public, now + start, now + end)
    made.certificate_file.write_text(ssl.DER_cert_to_PEM_cert(der))
    unchecked = Certificate(name, der, fingerprint_of(der), now + end, public)
    return Identity(unchecked, made.key_file, made.certificate_file)


def self_signed(
    key, *, common="eve", extension: bytes | None = b"\x04\x20" + b"\x09" * 32, ca=False, by=None, hashed=None
):
    """A certificate that differs from ours in one thing."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 5, now - DAY, now + DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    if extension is not None:
        oid = x509.ObjectIdentifier(certificates._EXCHANGE)
        builder = builder.add_extension(x509.UnrecognizedExtension(oid, extension), critical=False)
    return builder.sign(by or key, hashed).public_bytes(Encoding.DER)


SIGNING = ed25519.Ed25519PrivateKey.generate()
