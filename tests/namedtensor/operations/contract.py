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
    yield dot("four in a ring", "ab,bc,cd,da->", over="abcd", slopes=True)
    yield dot("a batch dim of all", "abc,abd,acd->a", over="bcd", slopes=True)
    yield dot("apart", "ab,cd,b->acd", over="b")
    yield dot("complex", "ab,bc->ac", over="b", values=("complex", "complex"))
    yield Row("dot", "a b, b c -> a c", lambda d, x, y: nt.dot(2, x, nt.tensor(0.5, ""), y, over=d.b),
              einsum("ab,bc->ac"), roundings=4, slopes=True, label="numbers")
    yield Row("dot", "a b, b c -> a c", lambda d, x, y: x.dot(d.b, y), einsum("ab,bc->ac"), label="method")
# fmt: on


ROWS = [*dot_rows()]
