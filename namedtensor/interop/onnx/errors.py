"""What can be wrong with an ONNX file, or with what it is asked to do."""

from collections.abc import Iterable, Mapping, Sequence

_SHOWN = 8  # nodes listed for one operator


class OnnxError(ValueError):
    """A model that cannot be read, or cannot be run as asked."""


class MalformedModel(OnnxError):
    """A file that is no ONNX model, is damaged, or points outside its folder."""


class UnsupportedOperators(OnnxError):
    """Operators that are not known here; all of a model's are named at once.

    Attributes:
      operators: operator -> the names of its nodes.
    """

    def __init__(self, operators: Mapping[str, Sequence[str]], reasons: Mapping[str, str] | None = None):
        """Keep the operators and say what to do."""
        self.operators = {name: list(nodes) for name, nodes in operators.items()}
        reasons = reasons or {}
        lines = [
            f"  {name}{' (' + reasons[name] + ')' if name in reasons else ''}: {listed(nodes)}"
            for name, nodes in self.operators.items()
        ]
        super().__init__(
            f"{len(lines)} operator{'s' * (len(lines) > 1)} of this model cannot be run here:\n"
            + "\n".join(lines)
            + "\nAdd one with namedtensor.interop.onnx.operator, or choose values before them with "
            "nt.interop.onnx.load(..., outputs=[...])."
        )


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, the first of many."""
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(repr(n) for n in names[:_SHOWN]) + more
