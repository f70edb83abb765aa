"""Places by module: the outputs of the modules of flax (nnx, linen), equinox and haiku, by their paths.

While a function is traced, the call of each module that is wanted taps what it returns under the module's
path in the model: ``"blocks/0/mlp"``. The model is the module that is called first, with no other around
it, so it is found wherever the function has it from: an argument, a closure, a global, `nnx.merge`.

linen and haiku offer a hook for this, and know the path of each module: that of haiku is the key of its
parameters, ``"cnn/~/conv2_d"``. In nnx and equinox ``__call__`` belongs to the class, so the classes are
wrapped while the function is traced, as flax itself does to capture intermediates. The wrappers do
nothing in other threads, and the last one to leave takes them off. What is wanted is part of the key of
JAX's tracing caches: a function that was jitted before is traced again, and no tap stays in a cache.

Modules that a transformation makes anew inside the model (`nnx.vmap` over layers, a ``__call__`` under
`equinox.filter_jit`) have no path there; `nt.tap` names their values.
"""

import contextlib
import functools
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator, Set
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax

from namedtensor._tensor import is_named
from namedtensor.interpreter import frameworks
from namedtensor.interpreter.marks import tap
from namedtensor.interpreter.walk import is_array

EVERY = frozenset({"*"})  # all modules are wanted, and then each marks its equations too
MODULE = "module["  # how the scope begins that says which module's call an equation stands in

_WANTED = jax.make_user_context(default_value=frozenset())  # a context of JAX, so its caches see it


class _Call(NamedTuple):
    """A call that is going on: of which module and method, and the paths of its model's modules."""

    module: Any
    method: str
    paths: dict[int, str]


_GOING_ON: ContextVar[_Call | None] = ContextVar("the module that is being called", default=None)


def with_modules(fun: Callable[..., Any], wanted: Set[str] = EVERY) -> Callable[..., Any]:
    """``fun`` with taps at the outputs of these modules; the same function where there can be none."""
    if not frameworks.any_usable():
        return fun

    def watched(*args: Any, **kwargs: Any) -> Any:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_WANTED(_WANTED.value | frozenset(wanted)))
            for family in _FAMILIES:
                stack.enter_context(family.wrapped())
            stack.enter_context(_linen_watched())
            stack.enter_context(_haiku_watched())
            return _rebound(fun)(*args, **kwargs)

    return watched


def _rebound(fun: Any) -> Any:
    """A method that was taken from its module before the class was wrapped, taken again."""
    if isinstance(fun, functools.partial):
        return functools.partial(_rebound(fun.func), *fun.args, **fun.keywords)
    if not isinstance(fun, types.MethodType):
        return fun
    now = getattr(fun.__self__, fun.__name__, fun)
    return now if getattr(now, "__wrapped__", None) is fun.__func__ else fun


def _passed(call: _Call, run: Callable[[], Any]) -> Any:
    """Run a method of a module, and tap what its ``__call__`` returns."""
    before = _GOING_ON.get()
    path = call.paths.get(id(call.module))
    again = before is not None and before.module is call.module and before.method == call.method
    wanted = _WANTED.value & {path, *EVERY}
    watched = path if call.method == "__call__" and not again and wanted else None
    token = _GOING_ON.set(call)  # again: a method that calls that of its parent class
    try:
        with _extent(watched) if watched and _WANTED.value & EVERY else contextlib.nullcontext():
            out = run()
            return _tapped(out, watched) if watched else out
    finally:
        _GOING_ON.reset(token)


def _extent(path: str) -> contextlib.AbstractContextManager[Any]:
    """The scope that marks the equations of a module's call."""
    return jax.named_scope(f"{MODULE}{path.replace('/', '|')}]")  # scopes are parted by slashes


def module_of(part: str) -> str | None:
    """The path of the module that a part of a scope marks; None for a scope of the user's."""
    return part[len(MODULE) : -1].replace("|", "/") if part.startswith(MODULE) else None


def as_scopes(path: str) -> set[str]:
    """The scopes that haiku puts a module into: ``cnn/conv2_d`` for the path ``cnn/~/conv2_d``."""
    parts = path.split("/")
    called, made = (p for p in parts if p[:1] != "~"), (p.removeprefix("~") for p in parts)
    return {"/".join(called), "/".join(filter(None, made))}


def _tapped(out: Any, path: str) -> Any:
    """The output with its arrays tapped; it may hold other things."""
    leaves, tree = jax.tree.flatten(out, is_leaf=is_named)
    arrays = {i: x for i, x in enumerate(leaves) if is_named(x) or is_array(x)}
    if len(arrays) == len(leaves):
        return tap(out, path)
    marked = tap(arrays, path)
    return jax.tree.unflatten(tree, [marked.get(i, x) for i, x in enumerate(leaves)])


@dataclass(frozen=True)
class _Family:
    """A framework whose modules are objects of classes.

    Attributes:
      framework: where it is, if it is imported.
      base: the class of all modules.
      children: the modules in a model, with their paths.
      transparent: the beginnings of the packages whose modules only stand around those of users.
      lock: guards the two below.
      users: who has the classes wrapped now.
      kept: what the classes had before.
    """

    framework: frameworks.Framework
    base: str
    children: Callable[[Any], Iterable[tuple[str, Any]]]
    transparent: tuple[str, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: list[object] = field(default_factory=list)
    kept: list[tuple[type, str, Any]] = field(default_factory=list)

    @contextlib.contextmanager
    def wrapped(self) -> Iterator[None]:
        """All classes of the family wrapped."""
        if not frameworks.usable(self.framework):
            yield
            return
        with self.lock:
            if not self.users:
                self._wrap()
            self.users.append(None)
        try:
            yield
        finally:
            with self.lock:
                self.users.pop()
                if not self.users:
                    self._unwrap()

    def _wrap(self) -> None:
        for cls in dict.fromkeys(_subclasses(getattr(sys.modules[self.framework.module], self.base))):
            if cls.__module__.startswith(self.transparent or ("\0",)):
                continue
            for name, method in list(vars(cls).items()):
                if _is_method(cls, name, method):
                    self.kept.append((cls, name, method))
                    setattr(cls, name, self._watching(name, method))

    def _unwrap(self) -> None:
        while self.kept:
            setattr(*self.kept.pop())

    def _paths(self, model: Any) -> dict[int, str]:
        paths: dict[int, str] = {}
        for path, module in self.children(model):
            paths.setdefault(id(module), path)  # one that stands at two places has the name of the first
        return paths

    def _watching(self, name: str, method: Any) -> Callable[..., Any]:
        @functools.wraps(method)
        def watching(module: Any, /, *args: Any, **kwargs: Any) -> Any:
            bound = method.__get__(module, type(module))
            if not _WANTED.value:  # another thread
                return bound(*args, **kwargs)
            outer = _GOING_ON.get()
            paths = self._paths(module) if outer is None else outer.paths
            return _passed(_Call(module, name, paths), lambda: bound(*args, **kwargs))

        return watching


def _is_method(cls: type, name: str, method: Any) -> bool:
    if name == "__call__":
        return hasattr(method, "__get__")
    named_field = name in getattr(cls, "__dataclass_fields__", ())  # a function as a default value
    return isinstance(method, types.FunctionType) and not name.startswith("_") and not named_field


def _subclasses(base: type) -> Iterator[type]:
    for cls in type.__subclasses__(base):
        yield cls
        yield from _subclasses(cls)


def _nnx_modules(model: Any) -> Iterator[tuple[str, Any]]:
    for path, module in sys.modules["flax.nnx"].iter_modules(model):
        yield "/".join(map(str, path)), module


def _equinox_modules(model: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    base = sys.modules["equinox"].Module
    inner = jax.tree_util.tree_flatten_with_path(
        model, is_leaf=lambda x: isinstance(x, base) and x is not model
    )
    for path, module in inner[0]:
        if isinstance(module, base) and module is not model:
            name = jax.tree_util.keystr(path, simple=True, separator="/")
            name = f"{at}/{name}" if at else name
            yield from _equinox_modules(module, name)
            yield name, module


_FAMILIES = (
    _Family(frameworks.NNX, "Module", _nnx_modules),
    _Family(frameworks.EQUINOX, "Module", _equinox_modules, ("equinox._", "equinox.internal")),
)


@contextlib.contextmanager
def _linen_watched() -> Iterator[None]:
    if not frameworks.usable(frameworks.LINEN):
        yield
        return

    def watching(method: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        path = "/".join(map(str, context.module.path))
        return _passed_at(path, context, lambda: method(*args, **kwargs))

    with sys.modules["flax.linen"].intercept_methods(watching):
        yield


@contextlib.contextmanager
def _haiku_watched() -> Iterator[None]:
    if not frameworks.usable(frameworks.HAIKU):
        yield
        return

    def watching(method: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
        path = getattr(context.module, "module_name", "")  # which __init__ has yet to set
        return _passed_at(path, context, lambda: method(*args, **kwargs))

    with sys.modules["haiku"].intercept_methods(watching):
        yield


def _passed_at(path: str, context: Any, run: Callable[[], Any]) -> Any:
    """Run a method that a hook has caught, of a module that knows its path."""
    return _passed(_Call(context.module, context.method_name, {id(context.module): path}), run)
