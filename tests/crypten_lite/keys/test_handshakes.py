"""Handshakes over the loopback: what a side gets is the certificate of a pinned peer, or an error."""

import re
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from crypten_lite.errors import CertificateError
from crypten_lite.keys import identity as identities
from crypten_lite.keys.identity import Certificate, Identity, create, fingerprint_of
from tests.crypten_lite.keys.forged import DAY, aged

TIMEOUT = 10.0


def side(opened, context, server_side):
    with opened() as raw:
        raw.settimeout(TIMEOUT)
        try:
            with context.wrap_socket(raw, server_side=server_side) as secure:
                secure.sendall(b"x")
                assert secure.recv(1) == b"x"  # in TLS 1.3 who connects learns here that it was refused
                return fingerprint_of(secure.getpeercert(binary_form=True)), secure.version()
        except OSError as error:
            return error


def shaken(serving, connecting):
    with ThreadPoolExecutor(1) as pool, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        server = pool.submit(side, lambda: listener.accept()[0], serving, True)
        address = listener.getsockname()
        client = side(lambda: socket.create_connection(address, TIMEOUT), connecting, False)
        return server.result(2 * TIMEOUT), client


def test_pinned_peers_shake_hands(alice, bob, tmp_path):
    carol = create("carol", tmp_path)
    serving = alice.serving([bob.certificate, carol.certificate])
    for peer in (bob, carol):
        server, client = shaken(serving, peer.connecting([alice.certificate]))
        assert server == (peer.certificate.fingerprint, "TLSv1.3")
        assert client == (alice.certificate.fingerprint, "TLSv1.3")
    assert serving.num_tickets == 0


def issued_by_bob(bob: Identity, folder: Path) -> Identity:
    """A certificate that bob's key signed for another: pinned bob cannot vouch."""
    mallory = create("mallory", folder)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mallory")])
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bob")])
    (key, _), (by, _) = (identities._private_keys(i.key_file) for i in (mallory, bob))
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(issuer, subject, key.public_key(), 7, now - DAY, now + DAY).sign(by, None)
    der = made.public_bytes(Encoding.DER)
    mallory.certificate_file.write_text(ssl.DER_cert_to_PEM_cert(der) + bob.certificate.pem)
    return Identity(
        Certificate("mallory", der, "", now + DAY, b""), mallory.key_file, mallory.certificate_file
    )


BAD_PEERS = {
    "a stranger": (lambda bob, folder: create("eve", folder), "self-signed certificate"),
    "the same name": (lambda bob, folder: create("bob", folder), "self-signed certificate"),
    "vouched for": (
        issued_by_bob,
        "invalid CA certificate|unable to get local issuer|not allowed to sign|invalid non-CA",
    ),
}


def assert_refused(refusing, refused, message):
    assert isinstance(refusing, ssl.SSLCertVerificationError)
    assert re.search(message, str(refusing))
    assert isinstance(refused, OSError)
    assert not isinstance(refused, TimeoutError)


@pytest.mark.parametrize(("made", "message"), BAD_PEERS.values(), ids=BAD_PEERS)
def test_only_pinned_certificates_pass(tmp_path, alice, bob, made, message):
    bad = made(bob, tmp_path)
    server, client = shaken(alice.serving([bob.certificate]), bad.connecting([alice.certificate]))
    assert_refused(server, client, message)
    server, client = shaken(bad.serving([alice.certificate]), alice.connecting([bob.certificate]))
    assert_refused(client, server, message)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [(-3 * DAY, -DAY, "certificate has expired"), (DAY, 3 * DAY, "certificate is not yet valid")],
)
def test_openssl_checks_dates_too(tmp_path, alice, start, end, message):
    """A certificate that expires while a process runs: it was read in time, and is pinned."""
    old = aged("old", tmp_path, start, end)
    server, client = shaken(alice.serving([old.certificate]), old.connecting([alice.certificate]))
    assert_refused(server, client, message)
    server, client = shaken(old.serving([alice.certificate]), alice.connecting([old.certificate]))
    assert_refused(client, server, message)


def test_who_shows_no_certificate_is_refused(alice, bob):
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname = False
    nobody.load_verify_locations(cadata=alice.certificate.der)
    server, client = shaken(alice.serving([bob.certificate]), nobody)
    assert isinstance(server, ssl.SSLError)
    assert "did not return a certificate" in str(server)
    assert isinstance(client, OSError)
    assert not isinstance(client, TimeoutError)


@pytest.mark.parametrize("serves", [True, False])
def test_older_tls_is_refused(alice, bob, serves):
    serving, connecting = alice.serving([bob.certificate]), bob.connecting([alice.certificate])
    older = connecting if serves else serving
    older.minimum_version = ssl.TLSVersion.TLSv1_2
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    for error in shaken(serving, connecting):
        assert isinstance(error, ssl.SSLError | ConnectionError)


@pytest.mark.parametrize("kind", ["serving", "connecting"])
def test_a_context_trusts_the_peers_and_nobody_else(alice, bob, kind):
    context = getattr(alice, kind)([bob.certificate])
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 0}
    with pytest.raises(CertificateError, match="no peer's certificate was given: nobody could connect"):
        getattr(alice, kind)([])


def test_files_that_changed_since_they_were_read(tmp_path, bob):
    made = create("alice", tmp_path)
    made.key_file.write_bytes(bob.key_file.read_bytes())
    with pytest.raises(
        CertificateError, match="are no longer what they were when they were read: start again"
    ):
        made.serving([bob.certificate])
    made.key_file.unlink()
    with pytest.raises(CertificateError, match="are no longer what they were"):
        made.connecting([bob.certificate])
