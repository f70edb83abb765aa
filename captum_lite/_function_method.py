"""Methods of a function: at its inputs or at a layer of it, for its output or for a neuron."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from captum_lite._inputs import require_real
from captum_lite._method import AbstractMethod
from captum_lite._problem import Problem, at_layer, up_to

_POSED = "in the problem"


@dataclass(frozen=True)
class FunctionMethod(AbstractMethod):
    """A method of a function, at its inputs or at a layer, for its output or for a neuron.

    Args:
      fun: any JAX function whose output has the batch first (or the dim ``batch``). Parameters are
        best bound with ``functools.partial(apply, params)``: new values of them compile nothing. Those
        that it reads from closures, globals or attributes are noticed when they change, and compile
        again; a NumPy array that is changed in place is not noticed.
      layer: the name of a place (`namedtensor.list_taps` lists them): a tap, a module's path, a named
        scope. What passes there is explained instead of the
        inputs. What goes around the layer (a residual branch) is held as it is at the inputs.
      neuron: which number of ``layer``, written as a target is: that number is what the inputs are
        explained of, instead of a number of the output.
    """

    fun: Callable[..., Any]
    layer: str | None = None
    neuron: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """A neuron is one of a layer."""
        if self.neuron is not None and self.layer is None:
            raise ValueError(
                f"neuron={self.neuron!r} is a place in a layer: give layer='name' too "
                "(namedtensor.list_taps lists them)."
            )

    def _asked(self, target: Any, args: Any) -> tuple[Callable[..., Any], Any, Any]:
        if self.neuron is None:
            return super()._asked(target, args)
        if target is not None:
            raise ValueError(
                f"target={target!r} and neuron={self.neuron!r} are both given: "
                "the neuron is what is explained, "
                "so leave the target out."
            )
        assert self.layer is not None
        return up_to(self.fun, self.layer, args, self.neuron)

    def explained(self, posed: Problem) -> Problem:
        """The inputs, or what passes at ``layer``."""
        return posed if self._here is None else at_layer(posed, self._here)

    @property
    def _here(self) -> str | None:
        """The layer that is explained; None where the inputs are."""
        return self.layer if self.neuron is None else None

    def configuration(self) -> dict[str, Any]:
        """The fields that are set, without the function."""
        given = {f.name: getattr(self, f.name) for f in fields(self)[1:]}
        return {k: v for k, v in given.items() if v is not None}

    def unbound(self) -> AbstractMethod:
        """The method without its function."""
        # which neuron is a matter of the problem; here it counts that there is one
        return replace(self, fun=_no_function, neuron=None if self.neuron is None else _POSED)


@dataclass(frozen=True)
class GradientMethod(FunctionMethod):
    """A method that differentiates a function; what it takes is what `FunctionMethod` takes."""

    def explained(self, posed: Problem) -> Problem:
        """The inputs, or what passes at ``layer``, which must have a gradient."""
        problem = super().explained(posed)
        require_real(problem.inputs, "input" if self._here is None else f"the value at {self._here!r}, input")
        return problem


def _no_function(*_: Any) -> Any:
    raise AssertionError("an unbound method has no function")
