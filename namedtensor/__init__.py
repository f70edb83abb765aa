"""Tensors whose dimensions have names, on JAX. Conventionally imported as ``nt``."""

from namedtensor import datasets, models, nn
from namedtensor._dims import Dims, dims
from namedtensor._errors import NamedShapeError
from namedtensor._plan import cache_info, clear_cache
from namedtensor._tensor import NamedTensor, is_named, tensor
from namedtensor.interpreter import capture, list_taps, replace, tap
from namedtensor.ops import random
from namedtensor.ops.along import *
from namedtensor.ops.contract import dot
from namedtensor.ops.elementwise import *
from namedtensor.ops.factories import *
from namedtensor.ops.index import *
from namedtensor.ops.reduce import *
from namedtensor.ops.shape import *
from namedtensor.transforms import checkpoint, grad, jit, value_and_grad, vmap
