"""Jacobians and Hessians with names: the dims of the result, and those of the argument, primed."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax

from namedtensor._dims import Dims
from namedtensor._errors import BadPattern, MissingName, describe, near_miss, showing
from namedtensor._tensor import NamedTensor, is_named
from namedtensor.transforms._trees import flatten
from namedtensor.transforms.differentiate import with_scalar_loss

_MODES = {"reverse": jax.jacrev, "forward": jax.jacfwd}


def _primed(names: Dims, taken: Dims) -> Dims:
    """``names`` with a prime each, or more (as many for all) until none of them is in ``taken``."""
    candidates = ([d + "'" * primes for d in names] for primes in itertools.count(1))
    return Dims(next(new for new in candidates if not set(new) & set(taken)))


def _block(array: Any, y: Any, x: Any) -> Any:
    """dy/dx with its names; plain where neither of the two has names."""
    if not is_named(y) and not is_named(x):
        return array
    for which, value in (("result", y), ("argument", x)):
        if not is_named(value) and getattr(value, "ndim", 0):
            raise MissingName(
                f"the {which} {describe(value)} has no names, which a Jacobian takes from both.",
                "Name its axes: nt.tensor(array, 'batch ...').",
            )
    there = y.dims if is_named(y) else Dims()
    return NamedTensor(array, Dims([*there, *_primed(x.dims if is_named(x) else Dims(), there)]))


def _array(x: Any) -> Any:
    return x.array if is_named(x) else x


def _like(array: Any, x: Any) -> Any:
    return NamedTensor(array, x.dims) if is_named(x) else array


def _numbers(argnums: int | tuple[int, ...], args: tuple[Any, ...]) -> list[int]:
    numbers = argnums if isinstance(argnums, tuple | list) else [argnums]
    for number in numbers:
        if not isinstance(number, int) or not -len(args) <= number < len(args):
            raise BadPattern(
                f"argnums={number!r} is no argument: {len(args)} are given by position.",
                "Give by position what is differentiated with respect to.",
            )
    return [number % len(args) for number in numbers]


def _require_mode(mode: str) -> None:
    if mode not in _MODES:
        raise BadPattern(
            f"mode={mode!r} is no mode: there are 'reverse' and 'forward'.", near_miss(str(mode), _MODES)
        )


def jacobian(
    fun: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    mode: str = "reverse",
    has_aux: bool = False,
    **options: Any,
) -> Callable[..., Any]:
    """All partial derivatives of a function, by name.

    ``jacobian(f)(x)[i, j'] = df[i]/dx[j]``: the dims of the result, then those of the argument with a prime.
    Where the result has such a dim already, all of the argument's get another prime. So a small change
    ``dx`` changes the result by ``nt.dot(jacobian, dx.rename(embed="embed'"), over="embed'")``.

    Arguments and results may be trees: what is returned is a tree like the result, with a tree like the
    argument in place of each leaf, as from `jax.jacobian`. Where result and argument are both plain arrays,
    so is their Jacobian; a scalar may be plain beside a named tensor, an array with axes may not.

    Args:
      fun: any differentiable function.
      argnums: which positional arguments to differentiate with respect to.
      mode: "reverse", which costs a pass for each element of the result, or "forward", which costs one for
        each element of the argument.
      has_aux: whether ``fun`` returns a pair, of which the second is not differentiated.
      **options: ``holomorphic``, ``allow_int``, for `jax.jacrev` or `jax.jacfwd`.

    Returns:
      A function of the same arguments that returns the Jacobian, or the Jacobian and what else there is.

    Raises (when called):
      MissingName: one of result and argument has names, and the other is an array without.
      BadPattern: an unknown mode, or ``argnums`` that are not given by position.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([[1.0, 2.0], [3.0, 4.0]], "batch embed")
      >>> nt.jacobian(lambda x: (x * x).sum("embed"))(x).shape
      Shape(batch:2 batch':2 embed':2)
    """
    _require_mode(mode)

    @functools.wraps(fun)
    def differentiated(*args, **kwargs):
        with showing("nt.jacobian", *args):
            numbers = _numbers(argnums, args)
        leaves, structure = flatten(tuple(args[i] for i in numbers))

        def positional(arrays):
            given = jax.tree.unflatten(structure, map(_like, arrays, leaves))
            filled = dict(enumerate(args)) | dict(zip(numbers, given, strict=True))
            out = fun(*filled.values(), **kwargs)
            out, aux = out if has_aux else (out, None)
            return [_array(y) for y in flatten(out)[0]], (out, aux)

        blocks, (out, aux) = _MODES[mode](positional, has_aux=True, **options)([_array(x) for x in leaves])
        with showing("nt.jacobian", *args):
            tree = _assemble(blocks, out, leaves, structure, single=isinstance(argnums, int))
        return (tree, aux) if has_aux else tree

    return differentiated


def _assemble(blocks: Any, out: Any, leaves: list[Any], structure: Any, *, single: bool) -> Any:
    """The tree of trees of named blocks."""
    ys, outer = flatten(out)
    rows = []
    for row, y in zip(blocks, ys, strict=True):
        inner = jax.tree.unflatten(structure, [_block(b, y, x) for b, x in zip(row, leaves, strict=True)])
        rows.append(inner[0] if single else inner)
    return jax.tree.unflatten(outer, rows)


def hessian(
    fun: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    mode: str = "forward",
    has_aux: bool = False,
    **options: Any,
) -> Callable[..., Any]:
    """All second derivatives of a scalar loss, by name: the Jacobian of its gradient.

    ``hessian(f)(x)[i, j'] = d^2 f / dx[i] dx[j]``. For trees it is a tree of trees, as from `jax.hessian`:
    the first key is what the gradient is taken of, and keeps its names.

    Args:
      fun: a function whose result is a scalar, named or not.
      argnums: which positional arguments to differentiate with respect to.
      mode: how the gradient is differentiated; "forward" is the cheaper, "reverse" serves functions of which
        JAX has no forward derivative (`jax.custom_vjp`).
      has_aux: whether ``fun`` returns a pair, the loss and anything else.
      **options: ``holomorphic``, for the gradient and its Jacobian.

    Returns:
      A function of the same arguments that returns the Hessian, or the Hessian and what else there is.

    Raises (when called):
      DimMismatch: the loss still has dims.

    Example:
      >>> import namedtensor as nt
      >>> nt.hessian(lambda x: (x**3).sum())(nt.tensor([1.0, 2.0], "embed")).to_array("embed embed'")
      Array([[ 6.,  0.],
             [ 0., 12.]], dtype=float32)
    """
    loss = with_scalar_loss(fun, has_aux, "nt.hessian")
    slope = jax.grad(loss, argnums, has_aux=has_aux, **options)
    return jacobian(slope, argnums, mode=mode, has_aux=has_aux, **options)
