"""Who this process is: its private keys, and the TLS contexts that only the pinned peers pass.

A file with two private keys belongs to a certificate (`Certificate`): one signs handshakes, the other agrees
with a peer's on the key of a file. Neither is kept in memory here, printed or logged.
"""

import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crypten_lite.errors import CertificateError, KeyFileError
from crypten_lite.keys.certificate import Certificate as Certificate
from crypten_lite.keys.certificate import checked_name, issued, lifetime
from crypten_lite.keys.certificate import fingerprint_of as fingerprint_of
from crypten_lite.keys.files import make_folder, new_file, plain_file, write_all
from namedtensor._optional import optional

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----\n?", re.DOTALL)
_LONGEST = 1 << 16  # bytes of a key file


@dataclass(frozen=True, repr=False)
class Identity:
    """A certificate, and where its private keys are.

    Attributes:
      certificate: this party's.
      key_file: its private keys; absolute.
      certificate_file: where the certificate was read; absolute.
    """

    certificate: Certificate
    key_file: Path
    certificate_file: Path

    @classmethod
    def read(cls, key_file: str | Path, certificate_file: str | Path) -> "Identity":
        """Read what `create` wrote.

        Raises:
          KeyFileError: the key file is not there, others can read it, it is damaged, or its keys are not the
            certificate's.
          CertificateError: the certificate is not there, is none of ours, or has expired.
          ImportError: the package `cryptography` is not installed.
        """
        certificate = Certificate.read(certificate_file)
        key_file = Path(key_file).absolute()
        signing, exchange = _private_keys(key_file)
        if certificate.exchange_key != _public(exchange) or _signer(certificate) != _public(signing):
            raise KeyFileError(
                f"{key_file} does not hold the keys of {certificate_file} (the certificate of "
                f"{certificate.name}, {certificate.fingerprint}): give the two files that were made together."
            )
        return cls(certificate, key_file, Path(certificate_file).absolute())

    def __repr__(self) -> str:
        return f"Identity(name={self.certificate.name!r}, fingerprint={self.certificate.fingerprint!r})"

    def serving(self, peers: Sequence[Certificate]) -> ssl.SSLContext:
        """The context of a listener: TLS 1.3, and these peers only.

        Raises:
          CertificateError: no peers, or this party's own files changed.
        """
        context = self._context(ssl.PROTOCOL_TLS_SERVER, peers)
        context.num_tickets = 0  # a ticket that the peer never reads would make a close a reset
        return context

    def connecting(self, peers: Sequence[Certificate]) -> ssl.SSLContext:
        """The context of who connects: TLS 1.3, and these peers only.

        Raises:
          CertificateError: no peers, or this party's own files changed.
        """
        return self._context(ssl.PROTOCOL_TLS_CLIENT, peers)

    def key_to_seal(self, reader: Certificate, info: bytes) -> tuple[bytes, bytes]:
        """A new key that only the reader can compute too, 32 bytes, and what it needs for that, 32 bytes.

        It is made of a fresh X25519 key, which is forgotten, and of both certificates' keys: so nobody else
        can have made it, and who steals this party's key later opens nothing that it sealed before.

        Args:
          reader: whose certificate.
          info: what the key is for.

        Raises:
          KeyFileError: the key file is not what it was.
          CertificateError: the reader's public key is none.

        Source: Perrin 2018, "The Noise Protocol Framework", revision 34, section 7.4, the pattern K.
        """
        with optional("private"):
            from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
        fresh = X25519PrivateKey.generate()
        _, own = _private_keys(self.key_file)
        shared = b"".join(_shared(key, reader) for key in (fresh, own))
        public = _public(fresh)
        return public, _derived(shared, public, self.certificate, reader, info)

    def key_to_open(self, writer: Certificate, public: bytes, info: bytes) -> bytes:
        """The key that the writer made, for what it sealed.

        Args:
          writer: whose certificate.
          public: what came with it.
          info: what the key is for.

        Raises:
          KeyFileError: the key file is not what it was.
          CertificateError: the writer's public key is none.
          ValueError: ``public`` is no public key.
        """
        with optional("private"):
            from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
        _, own = _private_keys(self.key_file)
        shared = own.exchange(X25519PublicKey.from_public_bytes(public)) + _shared(own, writer)
        return _derived(shared, public, writer, self.certificate, info)

    def _context(self, protocol: int, peers: Sequence[Certificate]) -> ssl.SSLContext:
        if not peers:
            raise CertificateError("no peer's certificate was given: nobody could connect.")
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # a peer is its pinned certificate, wherever it runs
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=b"".join(peer.der for peer in peers))
        try:
            # a password is never asked for: that would wait for the terminal
            context.load_cert_chain(self.certificate_file, self.key_file, password=b"")
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(
                f"{self.certificate_file} and {self.key_file} are no longer what they were when they were "
                "read: start again."
            ) from error
        return context


def create(name: str, directory: str | Path, *, days: int = 365) -> Identity:
    """Make new keys and a certificate: ``NAME.key``, which stays here, and ``NAME.crt``, for the peers.

    Args:
      name: of the party: letters, digits, ``-`` and ``_``.
      directory: where both files go; made if it is not there.
      days: until the certificate expires.

    Raises:
      KeyFileError: one of the files is there already, or cannot be written: nothing is overwritten.
      ConfigError: a name that no party may have, or not 1 to 3650 days.
      ImportError: the package `cryptography` is not installed.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     alice = create("alice", folder)
      ...     print(alice.certificate.name, alice.key_file.name, alice.certificate.fingerprint[:7])
      alice alice.key sha256:
    """
    with optional("private"):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    folder = Path(directory)
    key_file, certificate_file = folder / f"{checked_name(name)}.key", folder / f"{name}.crt"
    start, end = lifetime(days)
    signing, exchange = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    certificate = Certificate.of(issued(name, signing, _public(exchange), start, end))
    try:
        make_folder(folder)
        _write_both({key_file: _pem(signing) + _pem(exchange), certificate_file: certificate.pem.encode()})
    except FileExistsError as error:
        raise KeyFileError(
            f"{error.filename} is there already, and keys are never overwritten: choose another folder or "
            "name, or move it away if you are sure that nobody needs it."
        ) from error
    except OSError as error:
        raise KeyFileError(f"no keys can be written to {folder}: {error.strerror or error}.") from error
    return Identity.read(key_file, certificate_file)


def _write_both(files: dict[Path, bytes]) -> None:
    made = []
    try:
        for path, data in files.items():
            with new_file(path) as file:
                made.append(path)
                write_all(file, data)
                os.fsync(file.fileno())
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def _private_keys(key_file: Path) -> tuple[Any, Any]:
    """The Ed25519 and the X25519 key of a file that only its owner reads."""
    with optional("private"):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    blocks = [found.group() for found in _BLOCK.finditer(_owners_only(key_file))]
    try:
        signing, exchange = (load_pem_private_key(block, None) for block in blocks)
    except Exception:  # its text may quote the file, and so may what it holds on to
        signing = exchange = None
    if not (isinstance(signing, Ed25519PrivateKey) and isinstance(exchange, X25519PrivateKey)):
        raise KeyFileError(
            f"{key_file} is no key file, or is damaged: it must hold the two keys that "
            "`python -m crypten_lite keys` wrote, without a password."
        )
    return signing, exchange


def _owners_only(key_file: Path) -> bytes:
    try:
        with plain_file(key_file) as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & 0o077:
                raise KeyFileError(
                    f"{key_file} can be read by others (its mode is {mode & 0o777:o}): run "
                    f"`chmod 600 {key_file}`, and make new keys if others may have read it."
                )
            return file.read(_LONGEST)
    except OSError as error:
        raise KeyFileError(f"{key_file}: no key can be read: {error.strerror or error}.") from error


def _signer(certificate: Certificate) -> bytes:
    from cryptography.x509 import load_der_x509_certificate

    return _public(load_der_x509_certificate(certificate.der))


def _shared(own: Any, peer: Certificate) -> bytes:
    """X25519 (RFC 7748)."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    try:
        return own.exchange(X25519PublicKey.from_public_bytes(peer.exchange_key))
    except ValueError as error:
        raise CertificateError(f"the certificate of {peer.name} holds no usable X25519 key.") from error


def _derived(shared: bytes, salt: bytes, writer: Certificate, reader: Certificate, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869). Certificates go into it: nobody can pass another's public key for its own."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    both = f"{writer.fingerprint} {reader.fingerprint} ".encode()
    return HKDF(SHA256(), 32, salt, both + info).derive(shared)


def _public(keys: Any) -> bytes:
    """The public key that belongs to a private key or stands in a certificate."""
    return keys.public_key().public_bytes_raw()


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
