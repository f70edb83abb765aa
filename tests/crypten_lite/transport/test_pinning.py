"""Certificates that are not the pinned ones: refused when connecting, and both sides say so."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from crypten_lite.errors import CertificateError, PeerUnreachableError
from crypten_lite.keys.certificate import Certificate, fingerprint_of, issued
from crypten_lite.keys.identity import Identity
from tests.crypten_lite.roles.roles import identities
from tests.crypten_lite.transport.wires import LONG, nothing_left, peers_of, start

NAMES = ("alice", "bob", "carol")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return identities(tmp_path_factory.mktemp("keys"), (*NAMES, "mallory"))


@pytest.fixture(autouse=True)
def leaves_nothing(keys):
    with nothing_left():
        yield


def pinned(peers, name, certificate):
    return [dataclasses.replace(p, certificate=certificate) if p.name == name else p for p in peers]


def errors(*futures):
    return [type(f.exception(LONG)) for f in futures], [str(f.exception(LONG)) for f in futures]


def test_a_party_whose_certificate_is_not_pinned(keys):
    peers = peers_of(keys, NAMES[:2])
    alice = start("alice", keys["alice"], peers, wait=2)
    bob = start("bob", keys["mallory"], pinned(peers, "bob", keys["mallory"].certificate))
    kinds, texts = errors(alice, bob)
    assert kinds == [PeerUnreachableError, CertificateError]
    assert "bob did not connect to alice in time. Refused meanwhile: a caller from 127.0.0.1" in texts[0]
    assert "did not show the pinned certificate" in texts[0]
    assert texts[1].startswith("alice refused our certificate: ")


def test_a_listener_whose_certificate_is_not_pinned(keys):
    peers = peers_of(keys, NAMES[:2])
    alice = start("alice", keys["mallory"], pinned(peers, "alice", keys["mallory"].certificate), wait=2)
    bob = start("bob", keys["bob"], peers)
    kinds, texts = errors(alice, bob)
    assert kinds == [PeerUnreachableError, CertificateError]
    assert "refused our certificate" in texts[0]
    assert texts[1].startswith("alice did not show the pinned certificate, or it is not valid now: ")


def test_swapped_certificates(keys):
    """Carol's key is good, and carol is awaited; but she is not bob."""
    peers = peers_of(keys, NAMES[:3])
    alice = start("alice", keys["alice"], peers, wait=2)
    bob = start("bob", keys["carol"], pinned(peers, "bob", keys["carol"].certificate))
    kinds, texts = errors(alice, bob)
    assert kinds == [PeerUnreachableError, CertificateError]
    assert "calls itself bob, and that is not bob's certificate" in texts[0]
    assert texts[1].startswith("alice refused the connection: a caller from 127.0.0.1")
    assert "that is not bob's certificate" in texts[1]


def test_a_certificate_shown_to_its_own_party(keys):
    """Alice's certificate on bob's connection: alice pins nobody with it."""
    peers = peers_of(keys, NAMES[:2])
    alice = start("alice", keys["alice"], peers, wait=2)
    bob = start("bob", keys["alice"], pinned(peers, "bob", keys["alice"].certificate))
    kinds, texts = errors(alice, bob)
    assert kinds == [PeerUnreachableError, CertificateError]
    assert texts[1].startswith("alice refused our certificate: ")


def test_another_key_of_the_same_name(keys, tmp_path):
    other = identities(tmp_path, ("bob",))["bob"]
    peers = peers_of(keys, NAMES[:2])
    alice = start("alice", keys["alice"], peers, wait=2)
    bob = start("bob", other, pinned(peers, "bob", other.certificate))
    kinds, texts = errors(alice, bob)
    assert kinds == [PeerUnreachableError, CertificateError]
    assert texts[1].startswith("alice refused our certificate: ")


def expired(name, folder):
    """An identity that `Identity.read` would refuse."""
    signing, end = Ed25519PrivateKey.generate(), datetime.now(UTC) - timedelta(minutes=1)
    der = issued(name, signing, bytes(32), end - timedelta(days=1), end)
    certificate = Certificate(name, der, fingerprint_of(der), end, bytes(32))
    key_file, certificate_file = folder / f"{name}.key", folder / f"{name}.crt"
    key_file.write_bytes(signing.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate_file.write_text(certificate.pem)
    return Identity(certificate, key_file, certificate_file)


def test_a_party_whose_certificate_has_expired(keys, tmp_path):
    old = expired("bob", tmp_path)
    peers = pinned(peers_of(keys, NAMES[:2]), "bob", old.certificate)
    alice, bob = start("alice", keys["alice"], peers, wait=2), start("bob", old, peers)
    kinds, texts = errors(alice, bob)
    assert kinds == [PeerUnreachableError, CertificateError]
    assert "certificate has expired" in texts[0]
    assert texts[1].startswith("alice refused our certificate: ")
    assert "certificate expired" in texts[1]


def test_a_listener_whose_certificate_has_expired(keys, tmp_path):
    old = expired("alice", tmp_path)
    peers = pinned(peers_of(keys, NAMES[:2]), "alice", old.certificate)
    alice, bob = start("alice", old, peers, wait=2), start("bob", keys["bob"], peers)
    kinds, texts = errors(alice, bob)
    assert kinds == [PeerUnreachableError, CertificateError]
    assert "refused our certificate" in texts[0]
    assert "or it is not valid now: certificate has expired" in texts[1]
