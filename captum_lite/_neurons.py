"""Methods of one unit of a layer, called as Captum calls them: the unit comes with the call."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Self

from captum_lite._function_method import FunctionMethod
from captum_lite._record import Attribution


class OfNeuron(FunctionMethod):
    """Before a method's class: ``attribute(inputs, neuron_selector, baselines)``, or ``neuron=`` once."""

    def attribute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, inputs: Any, neuron_selector: Any = None, *arguments: Any, **options: Any
    ) -> Any:
        """As the method's own, with the unit before the baselines."""
        return super(OfNeuron, self.of(neuron_selector)).attribute(inputs, *arguments, **options)

    def explain(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, inputs: Any, neuron_selector: Any = None, *arguments: Any, **options: Any
    ) -> Attribution:
        """As the method's own, with the unit before the baselines."""
        return super(OfNeuron, self.of(neuron_selector)).explain(inputs, *arguments, **options)

    def stream(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, inputs: Any, neuron_selector: Any = None, *arguments: Any, **options: Any
    ) -> Iterator[Attribution]:
        """As the method's own, with the unit before the baselines."""
        return super(OfNeuron, self.of(neuron_selector)).stream(inputs, *arguments, **options)

    def _asked(self, target: Any, args: Any) -> tuple[Callable[..., Any], Any, Any]:
        return super(OfNeuron, self.of(None))._asked(target, args)

    def of(self, neuron: Any) -> Self:
        """The method of this unit; a list is read as a tuple of positions.

        Raises:
          ValueError: no layer, no unit, or two.
        """
        name = type(self).__name__
        if self.layer is None:
            raise ValueError(f"{name} explains a unit of a layer: give its name, {name}(f, 'name').")
        if neuron is None and self.neuron is None:
            raise ValueError(
                f"{name} explains one unit of {self.layer!r}: give it as the second argument, "
                "attribute(x, 3), or once and for all, neuron=3."
            )
        if neuron is not None and self.neuron is not None:
            raise ValueError(
                f"{name} was made for neuron={self.neuron!r} and is called for {neuron!r}: "
                "give it once. (Baselines are given by name: baselines=...)"
            )
        chosen = self.neuron if neuron is None else neuron
        return dataclasses.replace(self, neuron=tuple(chosen) if isinstance(chosen, list) else chosen)
