"""Rule C as a formula."""

import namedtensor as nt
from tests.namedtensor.operations.row import Row, einsum


# fmt: off
def einsum_rows():
    def row(label, formula, spelled=None, **more):
        """``formula`` is NumPy's; ``spelled`` the one of names, where it is written otherwise."""
        operands, _, result = formula.partition("->")
        wide = [" ".join(o) for o in operands.split(",")]
        by_role = spelled or f"{', '.join(wide)} -> {' '.join(result)}"

        def named(d, *tensors):
            words = [getattr(d, w, w) for w in by_role.replace(",", " , ").split()]
            return nt.einsum(" ".join(words), *tensors)

        return Row("einsum", f"{', '.join(wide)} -> {' '.join(result)}", named, einsum(formula),
                   roundings=4, label=label, **more)

    yield row("matrix product", "ab,bc->ac", slopes=True)
    yield row("attention", "abc,adc->abd", slopes=True)
    yield row("in any order", "abc,adc->abd", "c b a, c d a -> d b a")
    yield row("summed in one operand alone", "abc,cd->bd", slopes=True)
    yield row("all summed", "ab,ba->", slopes=True)
    yield row("one operand", "abc->b")
    yield row("order alone", "ab->ba")
    yield row("four", "ab,bc,cd,da->bd", slopes=True)
    yield row("outer", "a,b,c->abc")
    yield row("dots", "abc,dc->abd", "... c, ... c -> ...", slopes=True)
    yield row("dots in one", "abc,dc->abd", "... c, c d -> ... d")
    yield row("integers", "ab,bc->ac", values=("integer", "integer"))
    yield Row("einsum", "a b -> a", lambda d, x: nt.einsum(f", {d.a} {d.b} -> {d.a}", 3, x),
              lambda xp, x: 3 * x.sum(1), roundings=4, slopes=True, label="a number")
# fmt: on


ROWS = [*einsum_rows()]
