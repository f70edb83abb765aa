"""The user's object: a tensor whose numbers nobody sees, named or not.

The class holds no operation: those are tables in `crypten_lite.operations`, which attach themselves. What is
here is what a shared tensor is: its parts, how it is revealed, what it refuses, and how it shows itself.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from crypten_lite.revealing import left
from crypten_lite.session import Session
from crypten_lite.sharing import entered
from crypten_lite.values import Secret
from namedtensor import NamedTensor

_COMPUTE = "Compute with it, ct.private(function)(x), or reveal it: x.reveal()."


class _Leaf(type):
    """The type of what is no array to JAX, whose messages show the type: so it says what to do."""

    def __repr__(cls) -> str:
        return (
            f"<class '{cls.__module__}.{cls.__qualname__}': JAX functions take it as ct.private(function)(x)>"
        )


class SharedTensor(metaclass=_Leaf):
    """A tensor shared between the parties of a session; made by `Session.share` and by private functions.

    It behaves like the array or the named tensor that it was shared from: operators, methods (``x.sum()``,
    ``x.relu()``, ``x.dot("embed", w)``), indexing and ``x.at[...]``. Each is `private` of the plain function,
    so what is computed stays secret. Numbers, arrays and named tensors beside it are public; so are shapes,
    types, and results that depend on no secret (``x == x`` is an array).

    To JAX it is a leaf, not an array: functions of it are called as ``ct.private(function)(x)``.

    Raises (by its operations):
      ValueError: operands of different sessions, or of one that is over.
      TypeError: what would need its numbers: ``bool``, ``int``, ``float``, ``numpy.asarray``.
      UnsupportedPrimitiveError: an operation that has no protocol.

    Example:
      >>> import jax.numpy as jnp
      >>> import crypten_lite as ct
      >>> session = ct.simulate(parties=2)
      >>> x = session.share(jnp.array([1.0, -2.0, 3.0]))
      >>> x
      SharedTensor(float32[3], 2 parties, 16 binary places, simulation: not private)
      >>> (2 * x.relu() + 1).reveal()
      Array([3., 1., 7.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_dims", "_secret")
    # NumPy, JAX and named tensors must hand ``array + x`` over to us.
    __array_ufunc__ = None

    def __init__(self, secret: Secret, dims: Any = None):
        """Made by `Session.share` and by private functions, which have checked what it is made of."""
        self._secret, self._dims = secret, dims

    if TYPE_CHECKING:  # attached by crypten_lite.operations and crypten_lite.aliases
        at: Any  # x.at[0].set(0.0)
        T: "SharedTensor"
        mT: "SharedTensor"

        def __getattr__(self, name: str) -> Callable[..., Any]: ...
        def __add__(self, other: Any) -> "SharedTensor": ...
        def __radd__(self, other: Any) -> "SharedTensor": ...
        def __sub__(self, other: Any) -> "SharedTensor": ...
        def __rsub__(self, other: Any) -> "SharedTensor": ...
        def __mul__(self, other: Any) -> "SharedTensor": ...
        def __rmul__(self, other: Any) -> "SharedTensor": ...
        def __truediv__(self, other: Any) -> "SharedTensor": ...
        def __rtruediv__(self, other: Any) -> "SharedTensor": ...
        def __pow__(self, other: Any) -> "SharedTensor": ...
        def __rpow__(self, other: Any) -> "SharedTensor": ...
        def __matmul__(self, other: Any) -> "SharedTensor": ...
        def __rmatmul__(self, other: Any) -> "SharedTensor": ...
        def __and__(self, other: Any) -> "SharedTensor": ...
        def __rand__(self, other: Any) -> "SharedTensor": ...
        def __or__(self, other: Any) -> "SharedTensor": ...
        def __ror__(self, other: Any) -> "SharedTensor": ...
        def __xor__(self, other: Any) -> "SharedTensor": ...
        def __rxor__(self, other: Any) -> "SharedTensor": ...
        def __neg__(self) -> "SharedTensor": ...
        def __pos__(self) -> "SharedTensor": ...
        def __abs__(self) -> "SharedTensor": ...
        def __invert__(self) -> "SharedTensor": ...
        def __lt__(self, other: Any) -> "SharedTensor": ...
        def __le__(self, other: Any) -> "SharedTensor": ...
        def __gt__(self, other: Any) -> "SharedTensor": ...
        def __ge__(self, other: Any) -> "SharedTensor": ...
        def __getitem__(self, index: Any) -> "SharedTensor": ...

    @classmethod
    def shared(cls, session: Session, x: Any, owner: int, what: str = "the value") -> "SharedTensor":
        """Share one array or named tensor; ``what`` it is called in messages."""
        if isinstance(x, SharedTensor):
            raise TypeError(f"{what} is shared already: compute with it as it is.")
        if isinstance(x, NamedTensor):
            return cls(entered(session, x.array, owner, what), x.dims)
        return cls(entered(session, x, owner, what))

    @property
    def session(self) -> Session:
        """It belongs to."""
        return self._secret.session

    @property
    def shape(self) -> Any:
        """Sizes; by name if it is named."""
        return self.carrier.shape

    @property
    def dims(self) -> Any:
        """The names of its axes; None if it has none."""
        return self._dims

    @property
    def dtype(self) -> Any:
        """What it reveals."""
        return self._secret.dtype

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return self._secret.ndim

    @property
    def size(self) -> int:
        """How many elements there are."""
        return self._secret.size

    @property
    def carrier(self) -> Any:
        """The secret in the place of an array: alone, or in a named tensor."""
        return self._secret if self._dims is None else NamedTensor(self._secret, self._dims)

    @staticmethod
    def is_carrier(x: Any) -> bool:
        """Whether a secret stands in the place of an array."""
        return isinstance(x, Secret) or (isinstance(x, NamedTensor) and isinstance(x.array, Secret))

    @classmethod
    def of_carrier(cls, x: Any) -> "SharedTensor":
        """The tensor of a carrier."""
        return cls(x.array, x.dims) if isinstance(x, NamedTensor) else cls(x)

    def reveal(self, to: int | str | None = None) -> Any:
        """The numbers, for all parties or for one. One round.

        Args:
          to: the party that learns them, by place or by name; the others send it their shares. None: all
            parties learn them.

        Returns:
          An array, or a named tensor, of the tensor's dtype; in the process of a party that does not learn
          them an `Unrevealed` in its place, which has a shape. A simulation always returns the array.

        Raises:
          ValueError: no such party, or the session is over.
          OverflowError: a whole number that its dtype cannot hold.

        Example:
          >>> import crypten_lite as ct
          >>> with ct.simulate(parties=3) as session:
          ...     int(session.share(7, owner=1).reveal(to=2))
          7
        """
        with self.session.meter.at("revealing"):
            (array,) = left([self._secret], to)
        return self._like(array)

    def _like(self, array: Any) -> Any:
        return array if self._dims is None else NamedTensor(array, self._dims)

    @staticmethod
    def reveal_all(tensors: "Sequence[SharedTensor]", to: int | str | None = None) -> list[Any]:
        """What `reveal` gives of each, all of them together."""
        if not tensors:
            return []
        with tensors[0].session.meter.at("revealing"):
            arrays = left([t._secret for t in tensors], to)
        return [t._like(a) for t, a in zip(tensors, arrays, strict=True)]

    def __iter__(self) -> Iterator["SharedTensor"]:
        if self._dims is not None:
            return iter(self.carrier)  # which says what to write instead
        return (self[i] for i in range(len(self)))

    def __len__(self) -> int:
        if self._dims is not None:
            return len(self.carrier)  # so does this
        if not self._secret.shape:
            raise TypeError("a shared tensor of no axes has no len().")
        return self._secret.shape[0]

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"whether {self!r} holds is secret: who takes a branch would see which. Compute both and choose, "
            "ct.private(jnp.where)(condition, a, b), or reveal it: x.reveal()."
        )

    def __index__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is a secret position: who reads there would see where. Multiply by a one-hot vector, "
            "ct.private(lambda i, x: jax.nn.one_hot(i, n) @ x)(i, x), or reveal it: i.reveal()."
        )

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError("a shared tensor does not change: write x = x.at[index].set(value).")

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be pickled or copied: its shares live in the session, and never change. To "
            "keep its numbers, reveal them: x.reveal()."
        )

    def __repr__(self) -> str:
        session = self.session
        names = [""] * self.ndim if self._dims is None else [f"{d}:" for d in self._dims]
        sizes = " ".join(f"{d}{n}" for d, n in zip(names, self._secret.shape, strict=True))
        places = session.point.fraction
        state = _seen(session) if session.is_open else "the session is over"
        return (
            f"SharedTensor({self.dtype}[{sizes}], {session.parties} parties, {places} binary places, {state})"
        )


def _seen(session: Session) -> str:
    """What this process could find out."""
    if session.held == session.parties:
        return "simulation: not private"
    return "one share here" if session.held else "no share here"


def _refused(name: str) -> Callable[..., NoReturn]:
    def refuse(self: SharedTensor, *_: Any, **__: Any) -> NoReturn:
        raise TypeError(f"{name}() needs the numbers of {self!r}, which are secret. {_COMPUTE}")

    return refuse


for _name in ("__int__", "__float__", "__complex__", "__round__", "item", "tolist", "tobytes", "to_numpy"):
    setattr(SharedTensor, _name, _refused(_name.strip("_")))
SharedTensor.__array__ = _refused("numpy.asarray")  # pyright: ignore[reportAttributeAccessIssue]
SharedTensor.__hash__ = None  # pyright: ignore  # == is elementwise, so there is no hash that agrees with it

__all__ = ["SharedTensor"]
