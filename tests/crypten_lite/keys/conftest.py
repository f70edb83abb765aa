"""Two identities, for a whole file of tests."""

import pytest

from crypten_lite.keys.identity import create


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def alice(folder):
    return create("alice", folder)


@pytest.fixture(scope="module")
def bob(folder):
    return create("bob", folder)
