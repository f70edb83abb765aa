"""The operations of `named_eager.py` in other named-tensor libraries, for those that are installed.

A maker takes the raw arrays ``x [batch seq embed]``, ``b [embed]``, ``w [embed ff]`` and returns the calls.
"""

import importlib.util
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Calls = dict[str, Callable[[], Any]]


def haliax(x: jax.Array, b: jax.Array, w: jax.Array) -> Calls:
    import haliax as hax

    batch, seq, embed, ff = hax.make_axes(batch=8, seq=16, embed=64, ff=64)
    x, b, w = hax.named(x, (batch, seq, embed)), hax.named(b, (embed,)), hax.named(w, (embed, ff))
    y = x.rearrange((embed, seq, batch))
    return {
        "add": lambda: (x + x).array,
        "bias add": lambda: (x + b).array,
        "reordered add": lambda: (x + y).array,
        "scale": lambda: (x * 2.0).array,
        "exp": lambda: hax.exp(x).array,
        "dot": lambda: hax.dot(x, w, axis=embed).array,
        "softmax": lambda: hax.nn.softmax(x, axis=embed).array,
        "mean": lambda: hax.mean(x, embed).array,
        "transpose": lambda: x.rearrange((embed, seq, batch)).array,
        "standardize": lambda: hax.nn.standardize(x, embed).array,
    }


def penzai(x: jax.Array, b: jax.Array, w: jax.Array) -> Calls:
    from penzai import pz

    nx, nmap = pz.nx, pz.nx.nmap
    x, b, w = nx.wrap(x, "batch", "seq", "embed"), nx.wrap(b, "embed"), nx.wrap(w, "embed", "ff")
    y = x.order_as("embed", "seq", "batch")

    def along(function: Callable) -> Callable:
        return lambda: nmap(function)(x.untag("embed")).tag("embed").data_array

    return {
        "add": lambda: (x + x).data_array,
        "bias add": lambda: (x + b).data_array,
        "reordered add": lambda: (x + y).data_array,
        "scale": lambda: (x * 2.0).data_array,
        "exp": lambda: nmap(jnp.exp)(x).data_array,
        "dot": lambda: nmap(jnp.dot)(x.untag("embed"), w.untag("embed")).data_array,
        "softmax": along(jax.nn.softmax),
        "mean": lambda: x.untag("embed").mean().data_array,
        "transpose": lambda: x.order_as("embed", "seq", "batch").data_array,
        "standardize": along(jax.nn.standardize),
    }


def xarray(x: jax.Array, b: jax.Array, w: jax.Array) -> Calls:
    import xarray as xr

    x, b = xr.DataArray(x, dims=("batch", "seq", "embed")), xr.DataArray(b, dims=("embed",))
    w = xr.DataArray(w, dims=("embed", "ff"))
    y = x.transpose("embed", "seq", "batch")

    def along(function: Callable) -> Callable:
        dims = {"input_core_dims": [["embed"]], "output_core_dims": [["embed"]]}
        return lambda: xr.apply_ufunc(function, x, **dims).data

    return {
        "add": lambda: (x + x).data,
        "bias add": lambda: (x + b).data,
        "reordered add": lambda: (x + y).data,
        "scale": lambda: (x * 2.0).data,
        "exp": lambda: xr.apply_ufunc(jnp.exp, x).data,
        "dot": lambda: xr.dot(x, w, dim="embed").data,
        "softmax": along(jax.nn.softmax),
        "mean": lambda: x.mean("embed").data,
        "transpose": lambda: x.transpose("embed", "seq", "batch").data,
        "standardize": along(jax.nn.standardize),
    }


PEERS = {make.__name__: make for make in (haliax, penzai, xarray) if importlib.util.find_spec(make.__name__)}
