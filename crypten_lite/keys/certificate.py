"""Certificates: who a peer is, pinned by fingerprint instead of vouched for by an authority.

A certificate is signed by its own key. It says a name and two public keys, one that signs handshakes
(Ed25519) and one that agrees on keys for files (X25519, in an extension), so that one fingerprint covers
both. Nobody but the peer itself can show it in a handshake, and it cannot vouch for any other.
"""

import hashlib
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crypten_lite.errors import CertificateError, ConfigError
from crypten_lite.keys.files import plain_file
from namedtensor._optional import optional

_EXCHANGE = "2.25.163518267413912862283106153427519684127"  # the extension with the X25519 key
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_OCTETS = b"\x04\x20"  # what precedes 32 bytes in DER
_LONGEST = 1 << 16  # bytes of a certificate's file


def fingerprint_of(der: bytes) -> str:
    """The name of a certificate that cannot be forged: ``sha256:`` and 64 hexadecimal digits.

    Args:
      der: the certificate as it comes in a handshake.

    Example:
      >>> fingerprint_of(b"")[:15]
      'sha256:e3b0c442'
    """
    return "sha256:" + hashlib.sha256(der).hexdigest()


def checked_name(name: str) -> str:
    """A name that a party may have: it is also a file's.

    Raises:
      ConfigError: it is empty, longer than 63, or has other characters than letters, digits, ``-`` and ``_``.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r:.80} is no name of a party: give 1 to 63 of a-z, A-Z, 0-9, - and _; no - or _ first."
        )
    return name


@dataclass(frozen=True)
class Certificate:
    """A certificate of a party or of the dealer. All of it is public.

    Attributes:
      name: the party's.
      der: the certificate as it comes in a handshake.
      fingerprint: of all of it, ``sha256:`` and 64 hexadecimal digits.
      expires: when it ends, in UTC.
      exchange_key: the X25519 public key, 32 bytes.
    """

    name: str
    der: bytes = field(repr=False)
    fingerprint: str
    expires: datetime
    exchange_key: bytes = field(repr=False)

    @classmethod
    def read(cls, path: str | Path) -> "Certificate":
        """The one certificate in a PEM file.

        Raises:
          CertificateError: the file is not there, holds something else or several, or the certificate is not
            one that `create` makes, was changed, has expired or is not valid yet.
          ImportError: the package `cryptography` is not installed.
        """
        with optional("private"):
            from cryptography import x509
        try:
            with plain_file(Path(path)) as file:
                text = file.read(_LONGEST)
        except OSError as error:
            raise CertificateError(
                f"{path}: no certificate can be read: {error.strerror or error}."
            ) from error
        try:
            found = x509.load_pem_x509_certificates(text)
        except Exception as error:  # what a parser of strangers' bytes raises is not listed
            raise CertificateError(f"{path} holds no certificate (a PEM file that ends in .crt).") from error
        if len(found) != 1:
            raise CertificateError(f"{path} holds {len(found)} certificates: give each party's its own file.")
        return cls._checked(found[0], str(path))

    @classmethod
    def of(cls, der: bytes) -> "Certificate":
        """A certificate from its bytes, checked like one from a file.

        Raises:
          CertificateError: it is not one that `create` makes, was changed, has expired or is not valid yet.
        """
        with optional("private"):
            from cryptography import x509
        try:
            found = x509.load_der_x509_certificate(der)
        except Exception as error:  # as above
            raise CertificateError("these bytes are no certificate.") from error
        return cls._checked(found, "the certificate")

    @property
    def pem(self) -> str:
        """The certificate as text, to give to the peers."""
        return ssl.DER_cert_to_PEM_cert(self.der)

    @classmethod
    def _checked(cls, found: Any, where: str) -> "Certificate":
        try:
            name, exchange_key = _contents(found)
        except Exception as error:  # as above
            raise CertificateError(
                f"{where} is no certificate of a party: make one with `python -m crypten_lite keys`."
            ) from error
        start, end, now = found.not_valid_before_utc, found.not_valid_after_utc, datetime.now(UTC)
        if now > end:
            raise CertificateError(
                f"{where}: the certificate of {name} expired on {end:%Y-%m-%d %H:%M} UTC; let its owner make "
                "a new one with `python -m crypten_lite keys` and give it to the peers."
            )
        if now < start:
            raise CertificateError(
                f"{where}: the certificate of {name} is valid only from {start:%Y-%m-%d %H:%M} UTC; this "
                f"machine's clock says {now:%Y-%m-%d %H:%M} UTC."
            )
        der = _der(found)
        return cls(name, der, fingerprint_of(der), end, exchange_key)


def _contents(found: Any) -> tuple[str, bytes]:
    """The name and the exchange key, if the certificate is such as `issued` makes; else any exception."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found.verify_directly_issued_by(found)
    if not isinstance(found.public_key(), Ed25519PublicKey):
        raise ValueError("no Ed25519 key")
    (common,) = found.subject
    if common.oid != x509.NameOID.COMMON_NAME:
        raise ValueError("no common name")
    if found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise ValueError("an authority")
    extension = found.extensions.get_extension_for_oid(x509.ObjectIdentifier(_EXCHANGE)).value.value
    if len(extension) != 34 or not extension.startswith(_OCTETS):
        raise ValueError("no X25519 key")
    return checked_name(common.value), extension[2:]


def issued(name: str, signing: Any, exchange_key: bytes, start: datetime, end: datetime) -> bytes:
    """A new certificate, as DER.

    Args:
      name: of the party.
      signing: its Ed25519 private key, of the package `cryptography`.
      exchange_key: its X25519 public key.
      start: when it begins.
      end: when it expires.
    """
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID as Use

    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    exchange = x509.UnrecognizedExtension(x509.ObjectIdentifier(_EXCHANGE), _OCTETS + exchange_key)
    signs = {"digital_signature": True}
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    others += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    made = (
        x509.CertificateBuilder(
            subject, subject, signing.public_key(), x509.random_serial_number(), start, end
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**signs, **dict.fromkeys(others, False)), critical=True)
        .add_extension(x509.ExtendedKeyUsage([Use.CLIENT_AUTH, Use.SERVER_AUTH]), critical=False)
        .add_extension(exchange, critical=False)  # OpenSSL refuses a critical one that it does not know
        .sign(signing, None)
    )
    return _der(made)


def lifetime(days: int) -> tuple[datetime, datetime]:
    """From a little before now, since clocks differ, to some days from now.

    Raises:
      ConfigError: not 1 to 3650 days.
    """
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 3650:
        raise ConfigError(f"days={days!r}: a certificate is valid for 1 to 3650 days.")
    now = datetime.now(UTC).replace(microsecond=0)
    return now - timedelta(hours=1), now + timedelta(days=days)


def _der(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.DER)
