"""What can go wrong between parties, each by its own type.

Messages never hold a secret: no input, share, mask, key or result.
"""


class PartyError(RuntimeError):
    """A computation between parties stopped. Nothing was revealed that was not revealed before."""


class PeerUnreachableError(PartyError):
    """A peer did not come, or could not be connected to, within the time."""


class CertificateError(PartyError):
    """A certificate is missing, expired, unreadable, or not the one that was pinned; or ours was refused."""


class KeyFileError(PartyError):
    """A private key that others can read, that is damaged, or that belongs to another certificate."""


class PeerClosedError(PartyError):
    """A peer closed its connection before the end."""


class PeerTimeoutError(PartyError):
    """A peer was silent, or did not read, for too long."""


class PeerAbortedError(PartyError):
    """A peer stopped, and said why."""


class ProtocolError(PartyError):
    """A peer sent something else than what comes next."""


class AgreementError(PartyError):
    """The parties do not run the same program, or not in the same setting."""


class MaterialError(PartyError):
    """The dealer's material is missing, spent, damaged, or belongs to something else."""


class ConfigError(PartyError, ValueError):
    """A configuration that lacks something, or says something that cannot be."""
