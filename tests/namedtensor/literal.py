"""Named tensors as their definition says: a value for each assignment of positions to names.

The semantics once more, in slow and literal form: no axis, no order of storage, no broadcasting. An
operation says for each position of its result which values it takes. `Refused` is raised wherever the
semantics has no answer. The fuzz tests hold the library against it, in what it accepts as well.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np


class Refused(Exception):
    """The names, the sizes or the arguments have no meaning."""


class Literal:
    """Sizes by name, and the value at each position."""

    def __init__(self, sizes: dict[str, int], value: Callable[[dict[str, int]], float]):
        self.sizes = dict(sizes)
        self.values = {key(p): value(p) for p in positions(self.sizes)}

    def at(self, position: dict[str, int]) -> float:
        return self.values[key({d: position[d] for d in self.sizes})]

    def array(self, names: Sequence[str]) -> np.ndarray:
        out = np.zeros([self.sizes[d] for d in names])
        for p in positions(self.sizes):
            out[tuple(p[d] for d in names)] = self.at(p)
        return out


def key(position: dict[str, int]) -> frozenset:
    return frozenset(position.items())


def positions(sizes: dict[str, int]) -> Iterator[dict[str, int]]:
    for index in itertools.product(*map(range, sizes.values())):
        yield dict(zip(sizes, index, strict=True))


def require(condition: bool, why: str) -> None:
    if not condition:
        raise Refused(why)


def names_of(spec: object) -> list[str]:
    """The names of a spec, all different, each an identifier."""
    require(isinstance(spec, str | list | tuple), "a spec is a string or a sequence of names")
    names = spec.split() if isinstance(spec, str) else list(spec)
    require(
        all(isinstance(n, str) and n.rstrip("'").isidentifier() for n in names), "a name is an identifier"
    )
    require(len(set(names)) == len(names), "a name twice")
    return names


def united(*tensors: Literal) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for x in tensors:
        for d, n in x.sizes.items():
            require(sizes.setdefault(d, n) == n, f"{d} has two sizes")
    return sizes


def elementwise(function: Callable, *tensors: Literal) -> Literal:
    return Literal(united(*tensors), lambda p: function(*(x.at(p) for x in tensors)))


def without(sizes: dict[str, int], gone: Sequence[str]) -> dict[str, int]:
    require(all(d in sizes for d in gone), "a name that is not there")
    return {d: n for d, n in sizes.items() if d not in gone}


def reduced(function: Callable, x: Literal, spec: object) -> Literal:
    over = list(x.sizes) if spec is None else names_of(spec)
    kept, summed = without(x.sizes, over), {d: x.sizes[d] for d in over if d in x.sizes}
    return Literal(kept, lambda p: function([x.at(p | q) for q in positions(summed)]))


def along(function: Callable, x: Literal, name: object) -> Literal:
    (dim,) = one(name)
    require(dim in x.sizes, "a name that is not there")
    line = lambda p: np.array([x.at(p | {dim: i}) for i in range(x.sizes[dim])])  # noqa: E731
    return Literal(x.sizes, lambda p: function(line(p))[p[dim]])


def one(name: object) -> list[str]:
    require(isinstance(name, str), "one dim is one name")
    return names_of([name])


def dot(tensors: Sequence[Literal], spec: object) -> Literal:
    over = names_of(spec)
    require(len(tensors) > 0, "nothing to multiply")
    for d in over:
        holders = sum(d in x.sizes for x in tensors)
        require(holders >= min(2, len(tensors)), "a contraction sums over shared dims")
    product = elementwise(lambda *values: np.prod(values), *tensors)
    return reduced(sum, product, over)


def rename(x: Literal, names: dict[str, str]) -> Literal:
    without(x.sizes, list(names))
    new = [names.get(d, d) for d in x.sizes]
    names_of(new)
    back = dict(zip(new, x.sizes, strict=True))
    return Literal(
        {n: x.sizes[d] for n, d in back.items()}, lambda p: x.at({back[n]: i for n, i in p.items()})
    )


def merge(x: Literal, spec: object, name: object) -> Literal:
    parts, (into,) = names_of(spec), one(name)
    kept = without(x.sizes, parts)
    require(len(parts) > 0 and into not in kept, "nothing to merge, or a name that is there")
    counts = [x.sizes[d] for d in parts]

    def value(p):
        index = np.unravel_index(p[into], counts)
        return x.at(
            {d: i for d, i in p.items() if d != into} | dict(zip(parts, map(int, index), strict=True))
        )

    return Literal(kept | {into: int(np.prod(counts))}, value)


def split(x: Literal, dim: str, spec: object, sizes: dict[str, int]) -> Literal:
    into = names_of(spec)
    kept = without(x.sizes, [dim])
    require(
        not set(into) & set(kept) and set(sizes) == set(into), "names that are there, or sizes that are not"
    )
    counts = [sizes[d] for d in into]
    require(int(np.prod(counts)) == x.sizes[dim], "the sizes do not fit")

    def value(p):
        index = int(np.ravel_multi_index([p[d] for d in into], counts)) if into else 0
        return x.at({d: i for d, i in p.items() if d in kept} | {dim: index})

    return Literal(kept | dict(zip(into, counts, strict=True)), value)


def concat(tensors: Sequence[Literal], name: object) -> Literal:
    (dim,) = one(name)
    require(len(tensors) > 0, "nothing to join")
    require(all(set(x.sizes) == set(tensors[0].sizes) for x in tensors), "not the same names")
    rest = [without(x.sizes, [dim]) for x in tensors]
    require(all(r == rest[0] for r in rest), "another dim has two sizes")
    where = [(x, i) for x in tensors for i in range(x.sizes[dim])]
    return Literal(rest[0] | {dim: len(where)}, lambda p: where[p[dim]][0].at(p | {dim: where[p[dim]][1]}))


def stack(tensors: Sequence[Literal], name: object) -> Literal:
    (dim,) = one(name)
    require(len(tensors) > 0, "nothing to join")
    require(all(x.sizes == tensors[0].sizes for x in tensors), "not the same names or sizes")
    require(dim not in tensors[0].sizes, "a name that is there")
    return Literal({dim: len(tensors)} | tensors[0].sizes, lambda p: tensors[p[dim]].at(p))


def picked(x: Literal, dim: str, i: int) -> Literal:
    kept = without(x.sizes, [dim])
    require(-x.sizes[dim] <= i < x.sizes[dim], "a position outside")
    return Literal(kept, lambda p: x.at(p | {dim: i % x.sizes[dim]}))


def sliced(x: Literal, dim: str, s: slice) -> Literal:
    kept, there = without(x.sizes, [dim]), range(x.sizes.get(dim, 0))[s]
    return Literal(kept | {dim: len(there)}, lambda p: x.at(p | {dim: there[p[dim]]}))


def gathered(x: Literal, dim: str, ids: Literal) -> Literal:
    kept = without(x.sizes, [dim])
    require(dim not in ids.sizes, "the index has the dim that it indexes")
    sizes = united(Literal(kept, lambda p: 0), ids)

    def value(p):
        i = int(ids.at(p))
        inside = -x.sizes[dim] <= i < x.sizes[dim]
        return x.at({d: p[d] for d in kept} | {dim: i % x.sizes[dim]}) if inside else np.nan

    return Literal(sizes, value)
