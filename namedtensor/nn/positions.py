"""Where a token stands, for attention: rotations of query and key, or waves that are added."""

from typing import Any

import jax
import jax.numpy as jnp

from namedtensor._dims import Dims, axis_of, check_name, sized
from namedtensor._errors import BadPattern, MissingDim, SizeMismatch, Unsupported, short_dtype
from namedtensor._plan import Body, Operation, run
from namedtensor._tensor import NamedTensor
from namedtensor.nn._checks import flag, needs, number, require_floating, widened
from namedtensor.ops._align import align


def _frequencies(features: str, size: int, base: float, dtype: Any) -> Any:
    """``base ** (-2 i / size)`` for each pair i."""
    if size % 2:
        raise SizeMismatch(f"{features!r} is {size}, and pairs are needed.", "Choose an even size.")
    return jnp.asarray(base, dtype) ** (-jnp.arange(0, size, 2, dtype=dtype) / max(size, 1))


def _pairs(x: Any, axis: int, interleaved: bool) -> tuple[Any, Any]:
    """First and second of each pair: neighbours, or one of each half."""
    size = x.shape[axis]
    step = lambda first, last, by: jax.lax.slice_in_dim(x, first, last, by, axis)  # noqa: E731
    if interleaved:
        return step(0, size, 2), step(1, size, 2)
    return step(0, size // 2, 1), step(size // 2, size, 1)


def _unpaired(first: Any, second: Any, axis: int, interleaved: bool) -> Any:
    if not interleaved:
        return jax.lax.concatenate([first, second], axis)
    shape = (*first.shape[:axis], 2 * first.shape[axis], *first.shape[axis + 1 :])
    return jnp.stack([first, second], axis + 1).reshape(shape)


def _rule(names: tuple[Dims, ...], over: str, features: str, base: float, interleaved: bool) -> Body:
    there, *given = names
    _require_both("x", there, over, features)
    axis, along = axis_of(there, features), Dims([over])
    for position_dims in given:
        _require_positions(position_dims, there, over, features)

    def rope(x, *positions):
        require_floating("x", x)
        wide = widened(x.dtype)
        at = positions[0] if positions else jnp.arange(x.shape[there.index(over)])
        _require_numbers(at)
        angle = align(jnp.asarray(at, wide), given[0] if given else along, there)
        angle = angle * align(_frequencies(features, x.shape[axis], base, wide), Dims([features]), there)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        first, second = _pairs(x.astype(wide), axis, interleaved)
        turned = first * cos - second * sin, first * sin + second * cos
        return _unpaired(*turned, axis, interleaved).astype(x.dtype)

    return Body(rope, there)


def _require_both(who: str, there: Dims, over: str, features: str) -> None:
    needs(who, there, [over, features])
    if over == features:
        raise BadPattern(f"{over!r} is in over= and in features=.", "A dim is one of the two.")


def _require_positions(there: Dims, x: Dims, over: str, features: str) -> None:
    if over not in there:
        raise MissingDim(
            f"the positions have the dims '{there}' and lack {over!r}: all would be at one position.",
            f"To start at n: nt.arange({over!r}, size) + n.",
        )
    needs("x", x, there, "Positions have dims of x alone.")
    if features in there:
        raise BadPattern(f"the positions have the dim {features!r}.", "One position turns all features.")


def _require_numbers(positions: Any) -> None:
    dtype = jnp.result_type(positions)
    if not (jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)):
        raise Unsupported(
            f"the positions are {short_dtype(dtype)}.", "Give integers: nt.arange('pos', size)."
        )


def _parse(over: Any, features: Any, base: Any, interleaved: Any) -> tuple:
    return check_name(over), check_name(features), _base(base), flag(interleaved, "interleaved")


def _base(base: Any) -> float:
    return number(base, "base", "(0, inf)", lambda b: 0 < b < float("inf"))


_rope = Operation("nn.rope", _rule, ("over", "features", "base", "interleaved"), _parse)


def rope(
    x: NamedTensor,
    positions: NamedTensor | None = None,
    *,
    over: str,
    features: str,
    base: float = 10000.0,
    interleaved: bool = False,
) -> NamedTensor:
    """Rotary position embedding: pair i of the features is turned by ``position * base ** (-2 i / size)``.

    The dot product of a turned query and a turned key then depends on the distance of their positions
    alone. Apply it to both before `attention`.

    Args:
      x: ``[batch head pos head_dim]`` in any order, floating.
      positions: ``[pos]``, or ``[batch pos]`` where examples differ; 0, 1, ... by default.
      over: the sequence dim.
      features: the dim whose pairs are turned, of even size.
      base: the slowest pair turns about once in ``2 pi base`` positions.
      interleaved: False pairs feature i with feature ``i + size / 2`` (GPT-NeoX, Llama); True pairs
        neighbours (RoFormer, GPT-J). Weights trained with one are wrong with the other.

    Returns:
      The dims and the dtype of ``x``; angles are computed in float32 at least.

    Raises:
      UnknownDim: ``x`` lacks ``over``, ``features`` or a dim of ``positions``.
      MissingDim: ``positions`` lacks ``over``.
      SizeMismatch: an odd number of features.
      Unsupported: ``x`` is not floating.

    References:
      Su et al. 2021, RoFormer, arXiv:2104.09864.

    Example:
      >>> import namedtensor as nt
      >>> x = nt.tensor([[1.0, 0.0], [1.0, 0.0]], "pos head_dim")
      >>> nt.nn.rope(x, over="pos", features="head_dim").array
      Array([[1.        , 0.        ],
             [0.5403023 , 0.84147096]], dtype=float32)
    """
    operands = (x,) if positions is None else (x, positions)
    return run(_rope, operands, (over, features, base, interleaved))


def _waves_rule(
    names: tuple[Dims, ...], there: Dims, sizes: tuple[int, ...], over: str, features: str, base: float
) -> Body:
    _require_both("the shape", there, over, features)
    if len(there) != 2:
        raise BadPattern(f"'{there}' are more dims than a position and its features.", "Name two.")
    size = dict(zip(there, sizes, strict=True))

    def waves():
        frequency = align(_frequencies(features, size[features], base, jnp.float32), Dims([features]), there)
        angle = align(jnp.arange(size[over], dtype=jnp.float32), Dims([over]), there) * frequency
        return _unpaired(jnp.sin(angle), jnp.cos(angle), there.index(features), True)

    return Body(waves, there)


def _parse_waves(shape: Any, over: Any, features: Any, base: Any) -> tuple:
    return *sized(shape), check_name(over), check_name(features), _base(base)


_waves = Operation(
    "nn.sinusoidal_positions", _waves_rule, ("shape", "over", "features", "base"), _parse_waves
)


def sinusoidal_positions(shape: str, *, over: str, features: str, base: float = 10000.0) -> NamedTensor:
    """Waves of falling frequency that tell positions apart, to be added to token embeddings.

    Feature ``2 i`` is ``sin(pos * base ** (-2 i / size))``, feature ``2 i + 1`` its cosine.

    Args:
      shape: ``"pos:128 embed:64"``, the two dims and their sizes.
      over: the sequence dim, ``"pos"``.
      features: the feature dim, ``"embed"``, of even size.
      base: the longest wave is ``2 pi base`` positions long.

    Returns:
      A float32 tensor of that shape.

    Raises:
      UnknownDim: ``shape`` lacks ``over`` or ``features``.
      SizeMismatch: an odd number of features.

    References:
      Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762, section 3.5.

    Example:
      >>> import namedtensor as nt
      >>> nt.nn.sinusoidal_positions("pos:2 embed:2", over="pos", features="embed").array
      Array([[0.        , 1.        ],
             [0.84147096, 0.5403023 ]], dtype=float32)
    """
    return run(_waves, (), (shape, over, features, base))
