"""Tensors whose dimensions have names, on JAX. Conventionally imported as ``nt``."""

from namedtensor import datasets, display, interop, models, nn, testing
from namedtensor._dims import Dims, dims
from namedtensor._errors import NamedShapeError
from namedtensor._lift import lift
from namedtensor._plan import cache_info, clear_cache
from namedtensor._strict import strict
from namedtensor._tensor import NamedTensor, is_named, tensor
from namedtensor._wrap import wrap_fn
from namedtensor.display import plot
from namedtensor.interop import from_dlpack, load, save, to_numpy
from namedtensor.interpreter import capture, list_taps, outline, replace, tap
from namedtensor.nn.activations import *
from namedtensor.ops import fft, linalg, random
from namedtensor.ops.along import *
from namedtensor.ops.calculus import *
from namedtensor.ops.contract import dot
from namedtensor.ops.diagonal import *
from namedtensor.ops.edit import *
from namedtensor.ops.einsum import *
from namedtensor.ops.elementwise import *
from namedtensor.ops.factories import *
from namedtensor.ops.index import *
from namedtensor.ops.join import *
from namedtensor.ops.logic import *
from namedtensor.ops.pad import *
from namedtensor.ops.quantile import *
from namedtensor.ops.ranges import *
from namedtensor.ops.reduce import *
from namedtensor.ops.refused import *
from namedtensor.ops.rename import *
from namedtensor.ops.search import *
from namedtensor.ops.segment import *
from namedtensor.ops.shape import *
from namedtensor.ops.sorting import *
from namedtensor.ops.special import *
from namedtensor.ops.window import *
from namedtensor.sharding import constrain, mesh, shard, spec
from namedtensor.transforms import (
    associative_scan,
    checkpoint,
    cond,
    fori_loop,
    grad,
    hessian,
    jacobian,
    jit,
    jvp,
    linearize,
    map,
    scan,
    switch,
    value_and_grad,
    vjp,
    vmap,
    while_loop,
)
from namedtensor.typing import Named, typed
