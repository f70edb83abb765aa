"""Rule C: contractions."""

import namedtensor as nt
from tests.namedtensor.operations.row import Row, einsum


# fmt: off
def dot_rows():
    def dot(label, formula, over, **more):
        def named(d, *tensors):
            return nt.dot(*tensors, over=[getattr(d, r) for r in over])

        operands, _, result = formula.partition("->")
        signature = f"{', '.join(map(' '.join, operands.split(',')))} -> {' '.join(result)}"
        return Row("dot", signature, named, einsum(formula), label=label, roundings=4, **more)

    yield dot("matrix product", "ab,bc->ac", over="b", slopes=True)
    yield dot("two dims", "abc,cdb->ad", over="cb", slopes=True)
    yield dot("batch", "abc,cad->abd", over="c", slopes=True)
    yield dot("inner", "a,a->", over="a", slopes=True)
    yield dot("outer", "a,b->ab", over="", slopes=True)
    yield dot("pointwise", "ab,ba->ab", over="")
    yield dot("one tensor", "ab->b", over="a")
    yield dot("three", "ab,bc,cad->ad", over="bc", slopes=True)
    yield dot("in all three", "ab,b,bc->ac", over="b", slopes=True)
    yield dot("skips one", "ab,c,bc->ac", over="b")
    yield dot("integers", "ab,bc->ac", over="b", values=("integer", "integer"))
    yield Row("dot", "a b, b c -> a c", lambda d, x, y: x.dot(d.b, y), einsum("ab,bc->ac"), label="method")
# fmt: on


ROWS = [*dot_rows()]
