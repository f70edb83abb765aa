"""A configuration says what it means, and each mistake in one says what to write instead."""

import re
import shutil

import pytest

from crypten_lite.errors import CertificateError, ConfigError, KeyFileError
from crypten_lite.keys.identity import create
from crypten_lite.processes import config as configs

MARKS = {name: f"sha256:{digit * 64}" for name, digit in (("alice", "a"), ("bob", "b"), ("dealer", "d"))}
ALICE = f"""
name = "alice"
program = "classify.py:explain"
key = "keys/alice.key"
inputs = "alice.npz"
results = "out.npz"

[[parties]]
name = "alice"
address = "127.0.0.1:7001"
certificate = "alice.crt"
fingerprint = "{MARKS["alice"]}"

[[parties]]
name = "bob"
address = "[::1]:7002"
certificate = "bob.crt"
fingerprint = "{MARKS["bob"]}"

[dealer]
name = "dealer"
certificate = "dealer.crt"
fingerprint = "{MARKS["dealer"]}"
"""
DEALER = ALICE.replace('name = "alice"', 'name = "dealer"', 1).replace(
    'inputs = "alice.npz"\nresults = "out.npz"\n', ""
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.toml"


def read(file, text):
    file.write_text(text)
    return configs.read(file)


def test_all_that_a_configuration_says(file, tmp_path):
    config = read(
        file, 'fraction = 20\ntimeout = 5\nwait = 7.5\nlisten = "0.0.0.0:9"\ncertificate = "me.crt"' + ALICE
    )
    alice, bob = config.parties
    assert (config.name, config.role) == ("alice", "party")
    assert (alice.name, alice.address, alice.certificate) == (
        "alice",
        ("127.0.0.1", 7001),
        tmp_path / "alice.crt",
    )
    assert (bob.name, bob.address, bob.fingerprint) == ("bob", ("::1", 7002), MARKS["bob"])
    assert (config.dealer.name, config.dealer.address) == ("dealer", None)
    assert config.program == (tmp_path / "classify.py", "explain")
    assert (config.key, config.certificate) == (tmp_path / "keys/alice.key", tmp_path / "me.crt")
    assert (config.inputs, config.results) == (tmp_path / "alice.npz", tmp_path / "out.npz")
    assert (config.fraction, config.timeout, config.wait) == (20, 5.0, 7.5)
    assert config.listen == ("0.0.0.0", 9)
    assert config.material is None


def test_defaults(file, tmp_path):
    config = read(
        file, ALICE.replace('inputs = "alice.npz"\nresults = "out.npz"\n', "").replace(":explain", "")
    )
    assert config.program == (tmp_path / "classify.py", "program")
    assert (config.inputs, config.results) == (None, None)
    assert (config.fraction, config.timeout, config.wait) == (16, 60.0, 300.0)
    assert config.listen == ("127.0.0.1", 7001)
    assert config.certificate == tmp_path / "alice.crt"


def test_a_dealer_and_the_shapes_that_it_prepares_for(file):
    config = read(file, DEALER)
    assert (config.role, config.listen, config.shapes) == ("dealer", None, {})
    config = read(file, DEALER + '[inputs.alice]\n"image[row,col]" = "float32[28,28]"\n"a/0" = "int8[]"')
    assert config.shapes["alice"]["image"].shape == {"row": 28, "col": 28}
    assert config.shapes["alice"]["a"][0].shape == ()


def test_prepared_material(file, tmp_path):
    config = read(file, ALICE + 'material = "material/alice"')
    assert config.material == tmp_path / "material/alice"


def test_absolute_paths_stay(file, tmp_path):
    config = read(file, ALICE.replace("keys/alice.key", "/etc/alice.key"))
    assert str(config.key) == "/etc/alice.key"


def without(line):
    return ALICE.replace(f"{line}\n", "", 1)


def instead(old, new, text=ALICE):
    assert old in text
    return text.replace(old, new, 1)


WRONG = {
    "no TOML": ("name = alice", "is no TOML: Invalid value (at line 1, column 8)."),
    "nothing": ("", "parties is missing: write parties = [[parties]] with name, address"),
    "no name": (without('name = "alice"'), 'name is missing: write name = "alice"'),
    "no program": (
        without('program = "classify.py:explain"'),
        'program is missing: write program = "classify.py:program"',
    ),
    "no key": (without('key = "keys/alice.key"'), 'key is missing: write key = "alice.key"'),
    "no address": (
        without('address = "[::1]:7002"'),
        'parties[1].address is missing: write address = "host:7001"',
    ),
    "no certificate": (
        without('certificate = "bob.crt"'),
        'parties[1].certificate is missing: write certificate = "bob.crt"',
    ),
    "no fingerprint": (
        without(f'fingerprint = "{MARKS["dealer"]}"'),
        'dealer.fingerprint is missing: write fingerprint = "sha256:..." with 64 digits 0-9a-f, which '
        "`python -m crypten_lite fingerprint FILE` prints",
    ),
    "no dealer": (ALICE.partition("[dealer]")[0], "dealer is missing: write dealer = [dealer] with name"),
    "one party": (
        ALICE.replace('[[parties]]\nname = "bob"', '[ignored]\nname = "bob"'),
        "parties are 1: write [[parties]]",
    ),
    "an unknown key": ("timeuot = 5" + ALICE, "timeuot is not known: did you mean 'timeout'?"),
    "quite another key": ("color = 5" + ALICE, "color is not known: there may be name, program, key,"),
    "an unknown key of a party": (
        instead('address = "[::1]:7002"', 'address = "[::1]:7002"\nadress = "x"'),
        "parties[1].adress is not known: did you mean 'address'?",
    ),
    "an unknown key of the dealer": (ALICE + 'address = "x:1"', "dealer.address is not known: there may be"),
    "not my name": (
        instead('name = "alice"', 'name = "carol"'),
        "name is 'carol', which is none of the parties or the dealer: alice, bob, dealer.",
    ),
    "no name at all": (
        instead('name = "bob"', 'name = "bob marley"'),
        "parties[1].name is 'bob marley', no name (1 to 63 letters",
    ),
    "a name that is a path": (
        instead('name = "bob"', 'name = "../bob"'),
        "parties[1].name is '../bob', no name",
    ),
    "a name twice": (
        instead('name = "bob"', 'name = "alice"'),
        "parties[1].name is 'alice', as parties[0].name: each has its own.",
    ),
    "the dealer's name": (
        instead('name = "bob"', 'name = "dealer"'),
        "dealer.name is 'dealer', as parties[1].name",
    ),
    "an address twice": (
        instead("[::1]:7002", "127.0.0.1:7001"),
        "parties[1].address is '127.0.0.1:7001', as parties[0].address",
    ),
    "a fingerprint twice": (
        ALICE.replace(MARKS["bob"], MARKS["alice"]),
        "parties[1].fingerprint is 'sha256:aaaa",
    ),
    "no port": (
        instead("[::1]:7002", "bob.org"),
        "parties[1].address is 'bob.org', no address: write \"host:7001\"",
    ),
    "a port that is none": (
        instead("[::1]:7002", "bob.org:70000"),
        "an address whose port is not one of 1 to 65535",
    ),
    "port 0": (
        instead("[::1]:7002", "bob.org:0"),
        "parties[1].address is 'bob.org:0', an address whose port",
    ),
    "a URL": (
        instead("[::1]:7002", "https://bob.org:1"),
        "parties[1].address is 'https://bob.org:1', no address",
    ),
    "a bare IPv6": (
        instead("[::1]:7002", "::1:7002"),
        'no address: write "host:7001", or with [::1] for the host',
    ),
    "a number for text": (
        instead('"alice.npz"', "3"),
        'inputs is a whole number, not text: write "alice.npz"',
    ),
    "text for a number": (
        'fraction = "16"' + ALICE,
        "fraction is text, not a whole number: write one of 0 to 30",
    ),
    "a truth for a number": ("fraction = true" + ALICE, "fraction is true or false, not a whole number"),
    "too many places": ("fraction = 31" + ALICE, "fraction is 31, out of range: write one of 0 to 30"),
    "no time": (
        "timeout = 0" + ALICE,
        "timeout is 0, no time above 0 and up to 1e6: write seconds, such as 60",
    ),
    "endless": ("wait = inf" + ALICE, "wait is inf, no time above 0"),
    "not a number": ("wait = nan" + ALICE, "wait is nan, no time above 0"),
    "text for a time": ('wait = "long"' + ALICE, "wait is text, not a number: write seconds"),
    "a table for a list": (
        ALICE.replace("[[parties]]", "[parties]", 1).partition("[[")[0],
        "parties is a table, not a list",
    ),
    "text for a party": ('parties = ["alice", "bob"]', "parties[0] is text, not a table: write [[parties]]"),
    "text for the dealer": (
        ALICE.partition("[dealer]")[0].replace("[[", "dealer = 'bob'\n[[", 1),
        "dealer is text, not a table",
    ),
    "a short fingerprint": (
        instead(MARKS["bob"], "sha256:bb"),
        "parties[1].fingerprint is 'sha256:bb', no fingerprint: write",
    ),
    "no Python file": (
        instead("classify.py:explain", "classify"),
        "program is 'classify', no Python file and its function",
    ),
    "no function": (
        instead("classify.py:explain", "classify.py:"),
        "program is 'classify.py:', no Python file",
    ),
    "no path": (instead("alice.npz", ""), "inputs is '', no path"),
    "a key instead of its path": (
        instead('"keys/alice.key"', '"-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2Vw"'),
        'key is a long text, no path: write "alice.key"',
    ),
    "a dealer that listens": (
        'listen = "0.0.0.0:1"' + DEALER,
        "listen is a party's: the dealer connects to the parties. Leave it out.",
    ),
    "a dealer with results": (
        'results = "x.npz"' + DEALER,
        "results is a party's: the dealer learns no results",
    ),
    "a dealer with material": (
        DEALER + 'material = "x"',
        "dealer.material is a party's: the dealer makes it.",
    ),
    "a dealer with inputs": (
        'inputs = "x.npz"' + DEALER,
        "inputs is text, not a table: write [inputs.NAME], as",
    ),
    "shapes of nobody": (DEALER + "[inputs.carol]", "inputs.carol is not known: there may be alice, bob."),
    "shapes that are none": (
        DEALER + '[inputs.bob]\nx = "float"',
        "inputs.bob: 'x' is 'float': write a type and sizes",
    ),
    "a party with shapes": (
        ALICE.replace('inputs = "alice.npz"\n', "") + "[inputs.alice]",
        "inputs is a table, not text",
    ),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_says_where_it_is_and_what_to_write(text, message, file):
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read(file, text)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)
    assert "MC4CAQ" not in str(caught.value)


def test_a_file_that_cannot_be_read(file, tmp_path):
    with pytest.raises(ConfigError, match=r"run.toml: cannot be read: No such file or directory."):
        configs.read(file)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        configs.read(tmp_path)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is no text in UTF-8"):
        configs.read(file)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Keys of all, and the text of alice's configuration with their fingerprints."""
    home, text = tmp_path_factory.mktemp("keys"), ALICE.replace("keys/alice.key", "alice.key")
    for name, mark in MARKS.items():
        text = text.replace(mark, create(name, home).certificate.fingerprint)
    return home, text


@pytest.fixture
def keys(made, file):
    shutil.copytree(made[0], file.parent, dirs_exist_ok=True)
    return made[1]


def test_a_setting_has_the_identity_and_the_peers(keys, file):
    setting = read(file, "timeout = 5\n" + keys).setting()
    assert [(p.name, p.address) for p in setting.parties] == [
        ("alice", ("127.0.0.1", 7001)),
        ("bob", ("::1", 7002)),
    ]
    assert setting.dealer.certificate.name == "dealer"
    assert setting.identity.certificate == setting.parties[0].certificate
    assert (setting.name, setting.listen, setting.timeout, setting.material) == (
        "alice",
        ("127.0.0.1", 7001),
        5.0,
        None,
    )


def test_nothing_secret_is_shown(keys, file):
    config = read(file, keys)
    secret = (file.parent / "alice.key").read_text()
    assert "BEGIN PRIVATE KEY" in secret
    for line in secret.splitlines():
        assert line not in repr(config) + repr(config.setting())


def test_a_certificate_with_another_fingerprint_shows_both(keys, file):
    config = read(file, keys)
    mark, other = config.parties[1].fingerprint, "sha256:" + "0" * 64
    config = read(file, keys.replace(mark, other))
    with pytest.raises(ConfigError, match=re.escape(f"parties[1].fingerprint is {other}, but")) as caught:
        config.setting()
    assert f"bob.crt has {mark}: ask bob which is right, by another way than the file came." in str(
        caught.value
    )


def test_a_certificate_of_somebody_else(keys, file):
    config = read(file, keys.replace('name = "bob"', 'name = "carol"'))
    with pytest.raises(ConfigError, match=r"bob.crt is the certificate of 'bob', not of 'carol'"):
        config.setting()


def test_own_certificate_must_be_the_pinned_one(keys, file):
    create("alice", file.parent / "new")
    config = read(file, 'certificate = "new/alice.crt"\n' + keys.replace('"alice.key"', '"new/alice.key"'))
    with pytest.raises(
        ConfigError, match=r"parties\[0\].fingerprint is sha256:\w+, but .*new/alice.crt has sha256:"
    ):
        config.setting()


def test_missing_files(keys, file):
    config = read(file, keys)
    (file.parent / "bob.crt").unlink()
    with pytest.raises(CertificateError, match=r"run.toml: parties\[1\].certificate: .*bob.crt"):
        config.setting()
    shutil.copy(file.parent / "alice.crt", file.parent / "bob.crt")
    with pytest.raises(ConfigError, match=r"parties\[1\].fingerprint"):
        config.setting()


def test_a_key_that_others_can_read_is_refused(keys, file):
    (file.parent / "alice.key").chmod(0o644)
    with pytest.raises(KeyFileError):
        read(file, keys).setting()
