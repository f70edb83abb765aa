"""A function without code cannot run on shares, and says what to give instead."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import crypten_lite as ct
import namedtensor as nt
from namedtensor.interpreter import UnsupportedPrimitiveError

X = np.ones((2, 3), np.float32)


@pytest.mark.parametrize("make", [lambda e: e.call, nt.interop.exported.load], ids=["of JAX", "loaded"])
def test_an_exported_function_has_no_operations_for_protocols(make):
    f = make(jax.export.export(jax.jit(jnp.tanh))(X))
    said = r"'call_\w+' .*the exported function 'tanh', compiled code without operations.*\n.*in Python, or from an ONNX file"
    with ct.simulate() as session:
        shared = session.share(X)
        with pytest.raises(UnsupportedPrimitiveError, match=said):
            ct.private(f)(shared)
        public = ct.private(lambda x: x * f(X))(shared)  # on what is public it is a function like others
        np.testing.assert_allclose(public.reveal(), np.tanh(X), atol=1e-3)
