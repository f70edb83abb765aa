"""Keys: how they are made, which files of them are refused and why, and what two agree on."""

import base64
import os
import re
import stat
import traceback
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from crypten_lite.errors import CertificateError, ConfigError, KeyFileError
from crypten_lite.keys import certificate as certificates
from crypten_lite.keys import identity as identities
from crypten_lite.keys.identity import Certificate, Identity, create
from tests.crypten_lite.keys.forged import DAY, SIGNING, self_signed

# What is made


def test_keys_are_made_for_their_owner_only(tmp_path):
    made = create("alice", tmp_path / "new" / "keys", days=30)
    assert sorted(p.name for p in made.key_file.parent.iterdir()) == ["alice.crt", "alice.key"]
    assert stat.S_IMODE(made.key_file.stat().st_mode) == 0o600
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "new/keys")} == {0o700}
    assert 29 * DAY < made.certificate.expires - datetime.now(UTC) < 30 * DAY
    assert Identity.read(made.key_file, made.certificate_file) == made


def test_a_relative_path_stays_good_in_another_folder(tmp_path, monkeypatch, bob):
    monkeypatch.chdir(tmp_path)
    create("alice", ".")
    read = Identity.read("alice.key", "alice.crt")
    monkeypatch.chdir("/")
    assert read.serving([bob.certificate])
    assert read.key_to_seal(bob.certificate, b"")


def test_two_of_one_name_are_two(tmp_path, alice):
    other = create("alice", tmp_path)
    assert other.certificate != alice.certificate
    assert other.certificate.fingerprint != alice.certificate.fingerprint
    assert other.certificate.exchange_key != alice.certificate.exchange_key


@pytest.mark.parametrize("there", ["alice.key", "alice.crt"])
def test_nothing_is_overwritten(tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(
        KeyFileError, match=f"{there} is there already, and keys are never overwritten: choose"
    ):
        create("alice", tmp_path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(there, "mine")]


def test_a_full_disk_leaves_no_half_of_the_keys(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyFileError, match=f"no keys can be written to {tmp_path}: No space left on device"):
        create("alice", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_says_so(tmp_path):
    (tmp_path / "keys").write_text("")
    with pytest.raises(KeyFileError, match="keys"):
        create("alice", tmp_path / "keys")


@pytest.mark.parametrize("name", ["", "-a", "a/b", "..", "a b", "a.b", "ä", "a\n", "a" * 64, None, 3])
def test_a_name_is_also_a_files(tmp_path, name):
    with pytest.raises(ConfigError, match="is no name of a party: give 1 to 63 of a-z"):
        create(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("days", [0, -1, 3651, 1.5, True, "9"])
def test_days_are_bounded(tmp_path, days):
    with pytest.raises(
        ConfigError, match=re.escape(f"days={days!r}: a certificate is valid for 1 to 3650 days.")
    ):
        create("alice", tmp_path, days=days)


# What is refused when keys are read


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    made = create("alice", tmp_path)
    made.key_file.chmod(mode)
    message = rf"alice.key can be read by others \(its mode is {mode:o}\): run `chmod 600 .*alice.key`"
    with pytest.raises(KeyFileError, match=message):
        Identity.read(made.key_file, made.certificate_file)
    with pytest.raises(KeyFileError, match=message):
        made.key_to_seal(made.certificate, b"")
    made.key_file.chmod(0o400)
    assert Identity.read(made.key_file, made.certificate_file) == made


def test_keys_of_another_certificate_are_refused(alice, bob):
    message = rf"alice.key does not hold the keys of .*bob.crt \(the certificate of bob, {bob.certificate.fingerprint}\)"
    with pytest.raises(KeyFileError, match=message):
        Identity.read(alice.key_file, bob.certificate_file)


@pytest.mark.parametrize("which", [0, 1])
def test_both_keys_must_be_the_certificates(tmp_path, alice, bob, which):
    keys = [list(identities._private_keys(party.key_file)) for party in (alice, bob)]
    keys[0][which] = keys[1][which]
    path = tmp_path / "mixed.key"
    path.touch(0o600)
    path.write_bytes(b"".join(identities._pem(key) for key in keys[0]))
    with pytest.raises(KeyFileError, match=r"mixed.key does not hold the keys of"):
        Identity.read(path, alice.certificate_file)


def locked(made: Identity) -> bytes:
    keys = identities._private_keys(made.key_file)
    lock = BestAvailableEncryption(b"password")
    return b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock) for key in keys)


DAMAGES = {
    "empty": lambda made: b"",
    "cut": lambda made: made.key_file.read_bytes()[:-40],
    "one key": lambda made: made.key_file.read_bytes().split(b"\n", 3)[3],
    "three keys": lambda made: made.key_file.read_bytes() * 2,
    "other order": lambda made: b"".join(
        map(identities._pem, reversed(identities._private_keys(made.key_file)))
    ),
    "changed": lambda made: made.key_file.read_bytes().replace(b"MC4CAQ", b"MC4CAR"),
    "a password": locked,
    "certificate": lambda made: made.certificate_file.read_bytes(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_key_file_is_refused_and_not_quoted(tmp_path, damage):
    made = create("alice", tmp_path)
    secrets = [line for line in made.key_file.read_text().splitlines() if not line.startswith("-")]
    made.key_file.write_bytes(damage(made))
    with pytest.raises(
        KeyFileError, match=r"alice.key is no key file, or is damaged: it must hold the two keys"
    ) as caught:
        Identity.read(made.key_file, made.certificate_file)
    text = "".join(traceback.format_exception(caught.value))
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret[22:] in text]


def test_a_key_file_that_is_not_there(tmp_path, alice):
    with pytest.raises(KeyFileError, match=r"none.key: no key can be read: No such file or directory\."):
        Identity.read(tmp_path / "none.key", alice.certificate_file)


def test_nothing_secret_is_shown(alice):
    raw = [key.private_bytes_raw() for key in identities._private_keys(alice.key_file)]
    shown = f"{alice!r} {alice} {alice.certificate!r} {vars(alice)}"
    assert repr(alice) == f"Identity(name='alice', fingerprint='{alice.certificate.fingerprint}')"
    for secret in raw:
        for form in (secret.hex(), base64.b64encode(secret).decode(), repr(secret)[2:-1]):
            assert form not in shown


# Keys that two agree on


def test_two_agree_on_a_key_and_nobody_else(tmp_path, alice, bob):
    carol = create("carol", tmp_path)
    public, key = alice.key_to_seal(bob.certificate, b"info")
    assert (len(public), len(key)) == (32, 32)
    assert key == bob.key_to_open(alice.certificate, public, b"info")
    again = alice.key_to_seal(bob.certificate, b"info")
    others = [
        again[1],
        bob.key_to_open(alice.certificate, again[0][:31] + bytes([again[0][31] ^ 128]), b"info"),
        bob.key_to_open(alice.certificate, public, b"other"),
        bob.key_to_open(carol.certificate, public, b"info"),
        carol.key_to_open(alice.certificate, public, b"info"),
        alice.key_to_open(bob.certificate, public, b"info"),
    ]
    assert len({key, *others}) == 7


def test_who_steals_the_writers_key_later_opens_nothing(alice, bob):
    """With all but the forgotten key one has half of what the key is made of."""
    public, key = alice.key_to_seal(bob.certificate, b"info")
    _, stolen = identities._private_keys(alice.key_file)
    half = stolen.exchange(x25519.X25519PublicKey.from_public_bytes(bob.certificate.exchange_key))
    with_sender = stolen.exchange(x25519.X25519PublicKey.from_public_bytes(public))
    for guess in (half + half, with_sender + half, half + with_sender):
        assert identities._derived(guess, public, alice.certificate, bob.certificate, b"info") != key


def test_anothers_public_key_in_ones_own_certificate_agrees_on_nothing_with_its_owner(tmp_path, alice, bob):
    """Mallory says that bob's key is hers: alice's key for her is none that bob computes."""
    signing, _ = identities._private_keys(create("mallory", tmp_path).key_file)
    mallory = Certificate.of(
        certificates.issued("mallory", signing, bob.certificate.exchange_key, *certificates.lifetime(9))
    )
    public, key = alice.key_to_seal(mallory, b"")
    assert key != bob.key_to_open(alice.certificate, public, b"")


def test_a_public_key_of_low_order_is_refused(alice):
    low = Certificate.of(self_signed(SIGNING, extension=b"\x04\x20" + bytes(32)))
    with pytest.raises(CertificateError, match="the certificate of eve holds no usable X25519 key"):
        alice.key_to_seal(low, b"")
    with pytest.raises(ValueError):  # noqa: PT011  (the library's own words)
        alice.key_to_open(alice.certificate, bytes(32), b"")


def test_the_key_is_the_published_construction(alice, bob):
    """X25519 (RFC 7748) and HKDF (RFC 5869), written out with the standard library's HMAC."""
    import hashlib
    import hmac

    public, key = alice.key_to_seal(bob.certificate, b"info")
    _, exchange = identities._private_keys(bob.key_file)
    shared = b"".join(
        exchange.exchange(x25519.X25519PublicKey.from_public_bytes(p))
        for p in (public, alice.certificate.exchange_key)
    )
    both = f"{alice.certificate.fingerprint} {bob.certificate.fingerprint} ".encode()
    extracted = hmac.digest(public, shared, hashlib.sha256)
    assert key == hmac.digest(extracted, both + b"info" + b"\x01", hashlib.sha256)
