"""Lets `jax.export` write a jitted named function to bytes: it must know how names are written."""

import jax.export

from namedtensor._dims import Dims
from namedtensor._tensor import NamedTensor


def _to_bytes(metadata: tuple[Dims]) -> bytes:
    return str(metadata[0]).encode()


def _from_bytes(written: bytes) -> tuple[Dims]:
    return (Dims(written.decode().split()),)


jax.export.register_pytree_node_serialization(
    NamedTensor,
    serialized_name="namedtensor.NamedTensor",
    serialize_auxdata=_to_bytes,
    deserialize_auxdata=_from_bytes,
)
