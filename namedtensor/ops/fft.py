"""Rule T: Fourier transforms along named dims, which keep their names or get new ones."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from namedtensor._dims import Dims, Spec, check_name, dims, require, require_new, without
from namedtensor._errors import BadPattern, RankMismatch, SizeMismatch, Unsupported, showing
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.ops._static import whole
from namedtensor.ops._table import public

_NORMS = (None, "backward", "ortho", "forward")
Sizes = int | Mapping[str, int] | None


def _ordered(spec: Spec) -> Dims:
    if isinstance(spec, set | frozenset):
        raise BadPattern(f"{spec!r} does not say which dim is last.", "Write 'height width'.")
    return dims(spec)


def _listed(over: Spec, several: bool) -> Dims:
    """One dim, or one and more."""
    found = _ordered(over)
    if not found or (len(found) > 1 and not several):
        wanted = "one dim or more" if several else "one dim"
        raise RankMismatch(f"it works along {wanted}, and '{found}' are {len(found)}.", "Write over='time'.")
    return found


def _sizes(size: Sizes, over: Dims) -> tuple[tuple[str, int], ...]:
    """The sizes that are given, by name."""
    if size is None:
        return ()
    if not isinstance(size, Mapping) and len(over) > 1:
        raise BadPattern(
            f"size={size!r} for the dims '{over}'.", f"Give sizes by name: size={{{over[-1]!r}: 8}}."
        )
    by_name = size if isinstance(size, Mapping) else {over[0]: size}
    require(over, list(by_name))
    return tuple((d, whole(n, f"the size of {d!r}, size", least=1)) for d, n in by_name.items())


def _norm(norm: Any) -> Any:
    if not (norm is None or norm in _NORMS):
        raise BadPattern(f"norm={norm!r} is not known.", "Write 'backward', 'ortho' or 'forward'.")
    return None if norm == "backward" else norm  # the same, without a product by 1


def _parser(several: bool) -> Callable[..., tuple]:
    def parse(over: Spec, size: Sizes, norm: Any, new: Spec | None) -> tuple:
        found = _listed(over, several)
        named = found if new is None else _ordered(new)
        if len(named) != len(found):
            raise RankMismatch(
                f"new='{named}' has {len(named)} names for the dims '{found}'.", "Name each of them."
            )
        return found, _sizes(size, found), _norm(norm), named

    return parse


def _full_sizes(own: dict[str, int], given: dict[str, int], doubled: bool) -> tuple[int, ...] | None:
    """The size of each dim in the transform, or None where nothing is given: then the function knows them."""
    if doubled:  # half a spectrum: the other half is its mirror image
        last = list(own)[-1]
        own = {**own, last: 2 * (own[last] - 1)}
    sizes = {**own, **given}
    for dim, n in sizes.items():
        if n < 1:
            raise SizeMismatch(f"{dim!r} would have size {n}.", f"Give its size: size={{{dim!r}: 1}}.")
    return tuple(sizes.values()) if given else None


def _transform(
    name: str,
    positional: Callable[..., Any],
    text: tuple[str, str, int],
    *,
    real: bool = False,
    doubled: bool = False,
    several: bool = True,
) -> Callable[..., NamedTensor]:
    """A transform that takes ``real`` values, or half a spectrum (``doubled``), along ``several`` dims."""

    def rule(names: tuple[Dims, ...], over: Dims, given: tuple, norm: str | None, new: Dims) -> Body:
        (there,) = names
        axes = tuple(there.index(d) for d in require(there, over))
        for dim in new:
            require_new(without(there, over), dim)
        renamed = dict(zip(over, new, strict=True))

        def transform(array):
            if real and jnp.iscomplexobj(array):
                raise Unsupported(
                    f"the values are {array.dtype}, and {name} takes real ones.", "Use nt.fft.fft or ifft."
                )
            own = {d: array.shape[axis] for d, axis in zip(over, axes, strict=True)}
            return positional(array, _full_sizes(own, dict(given), doubled), axes, norm)

        return Body(transform, Dims(renamed.get(d, d) for d in there))

    operation = Operation(f"fft.{name}", rule, ("over", "size", "norm", "new"), _parser(several))

    def call(
        x: NamedTensor, over: Spec, *, size: Sizes = None, norm: str | None = None, new: Spec | None = None
    ) -> NamedTensor:
        return run(operation, (x,), (over, size, norm, new))

    return _documented(call, name, text)


def _documented(call: Callable[..., Any], name: str, text: tuple[str, str, int]) -> Callable[..., Any]:
    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"""{text[0]}

Args:
  x: a tensor.
  over: the dim to work along, or several (`hfft` and `ihfft`: one); all others are batch dims.
  size: the size of the transform by name (``{{"time": 8}}``, or a number where there is one dim): what is
    longer is cut, what is shorter is filled with zeros.
  norm: ``"backward"`` divides the inverse transform by the size, ``"forward"`` the other one, ``"ortho"``
    both by its root.
  new: new names for the dims ``over``, in their order; they keep theirs by default.

Returns:
  The dims of ``x``; {text[1]}.

Raises:
  UnknownDim: ``x`` lacks a dim of ``over``.
  BadPattern: ``size`` or ``norm`` cannot be read.
  DuplicateDim: a new name that ``x`` has already.

Example:
  >>> import namedtensor as nt
  >>> nt.fft.{name}(nt.ones("batch:2 time:8"), "time", new="freq").shape
  Shape(batch:2 freq:{text[2]})
"""
    return call


def _one_dim(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda array, sizes, axes, norm: function(array, sizes and sizes[0], axes[0], norm)


# fmt: off
# one entry an operation: its formula, its result, and the size of its result for 8 values -------
fft = _transform("fft", jnp.fft.fftn, (
    "``y[k] = sum over t of x[t] exp(-2 pi i k t / n)``, along each dim of ``over`` in turn.", "complex", 8))
ifft = _transform("ifft", jnp.fft.ifftn, (
    "The inverse of `fft`: ``x[t] = 1/n sum over k of y[k] exp(2 pi i k t / n)``.", "complex", 8))
rfft = _transform("rfft", jnp.fft.rfftn, (
    "`fft` of real values, without the half along the last dim of ``over`` that mirrors the other.",
    "complex, and the last dim of ``over`` has size ``n // 2 + 1``", 5), real=True)
irfft = _transform("irfft", jnp.fft.irfftn, (
    "The inverse of `rfft`. Half a spectrum does not tell whether the size was odd: if it was, give it.",
    "real, and the last dim of ``over`` has size ``2 (n - 1)`` by default", 14), doubled=True)
hfft = _transform("hfft", _one_dim(jnp.fft.hfft), (
    "`fft` of half a signal, of which the other half is the conjugate mirror image.",
    "real, and ``over`` has size ``2 (n - 1)`` by default", 14), doubled=True, several=False)
ihfft = _transform("ihfft", _one_dim(jnp.fft.ihfft), (
    "The inverse of `hfft`.", "complex, and ``over`` has size ``n // 2 + 1``", 5), real=True, several=False)
# fmt: on


def _shift(name: str, positional: Callable[..., Any]) -> Operation:
    def rule(names: tuple[Dims, ...], over: Dims) -> Body:
        axes = tuple(names[0].index(d) for d in require(names[0], over))
        return Body(lambda array: positional(array, axes), names[0])

    return Operation(f"fft.{name}", rule, ("over",), lambda over: (_listed(over, True),))


_fftshift = _shift("fftshift", jnp.fft.fftshift)
_ifftshift = _shift("ifftshift", jnp.fft.ifftshift)


def fftshift(x: NamedTensor, over: Spec) -> NamedTensor:
    """Move frequency 0 to the middle of each dim of ``over``; names unchanged.

    Raises:
      UnknownDim: ``x`` lacks a dim of ``over``.

    Example:
      >>> import namedtensor as nt
      >>> nt.fft.fftshift(nt.fft.fftfreq("freq", 4), "freq").array
      Array([-0.5 , -0.25,  0.  ,  0.25], dtype=float32)
    """
    return run(_fftshift, (x,), (over,))


def ifftshift(x: NamedTensor, over: Spec) -> NamedTensor:
    """The inverse of `fftshift`; names unchanged.

    Raises:
      UnknownDim: ``x`` lacks a dim of ``over``.

    Example:
      >>> import namedtensor as nt
      >>> nt.fft.ifftshift(nt.arange("freq", 3), "freq").array
      Array([1, 2, 0], dtype=int32)
    """
    return run(_ifftshift, (x,), (over,))


def _is_spacing(d: Any) -> bool:
    """A number that is not 0, or an array of no axes, which may be traced."""
    if isinstance(d, int | float):
        return bool(d) and not isinstance(d, bool)
    return isinstance(d, jax.Array | np.generic) and d.ndim == 0


def _frequencies(call: str, positional: Callable[..., Any], dim: str, size: int, d: Any) -> NamedTensor:
    with showing(call):
        names, n = dims([check_name(dim)]), whole(size, "size", least=1)
        if not _is_spacing(d):
            raise BadPattern(f"d={d!r} is no spacing.", "Give the time between two samples: d=0.1.")
    return NamedTensor(positional(n, d), names)


def fftfreq(dim: str, size: int, *, d: float = 1.0) -> NamedTensor:
    """The frequency of each entry of `fft`: ``0, 1, ... -2, -1`` over ``size * d``.

    Args:
      dim: the one dim of the result.
      size: how many values were transformed.
      d: the time between two of them.

    Returns:
      ``[dim]``, in cycles for each unit of time.

    Raises:
      BadPattern: ``size`` is no positive integer, or ``d`` is 0.

    Example:
      >>> import namedtensor as nt
      >>> nt.fft.fftfreq("freq", 4, d=0.5).array
      Array([ 0. ,  0.5, -1. , -0.5], dtype=float32)
    """
    return _frequencies(f"nt.fft.fftfreq({dim!r}, {size!r}, d={d!r})", jnp.fft.fftfreq, dim, size, d)


def rfftfreq(dim: str, size: int, *, d: float = 1.0) -> NamedTensor:
    """The frequency of each entry of `rfft`: ``0, 1, ... size // 2`` over ``size * d``; see `fftfreq`.

    Example:
      >>> import namedtensor as nt
      >>> nt.fft.rfftfreq("freq", 4, d=0.5).array
      Array([0. , 0.5, 1. ], dtype=float32)
    """
    return _frequencies(f"nt.fft.rfftfreq({dim!r}, {size!r}, d={d!r})", jnp.fft.rfftfreq, dim, size, d)


__all__ = public(globals())
