"""Named tensors in treescope: its array pictures, with the dims by name and no positions."""

from typing import Any

import numpy as np
import treescope
from treescope import ndarray_adapters, rendering_parts

from namedtensor._errors import describe
from namedtensor._tensor import NamedTensor
from namedtensor.viz.table import has_values


class NamedTensorAdapter(ndarray_adapters.NDArrayAdapter[NamedTensor]):
    """Axes by name; the values, the summary and the sharding are those of the array."""

    def _of_array(self, x: NamedTensor) -> Any:
        treescope.type_registries.update_registries_for_imports()
        return treescope.type_registries.lookup_ndarray_adapter(x.array)

    def get_axis_info_for_array_data(self, array: NamedTensor) -> tuple[Any, ...]:
        return tuple(ndarray_adapters.NamedPositionlessAxisInfo(d, n) for d, n in array.shape.items())

    def get_array_data_with_truncation(
        self, array: NamedTensor, mask: Any, edge_items_per_axis: tuple[int | None, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        return self._of_array(array).get_array_data_with_truncation(array.array, mask, edge_items_per_axis)

    def get_array_summary(self, array: NamedTensor, fast: bool) -> str:
        return describe(array) if fast else repr(array)

    def get_numpy_dtype(self, array: NamedTensor) -> np.dtype | None:
        return array.dtype if isinstance(array.dtype, np.dtype) else None

    def get_sharding_info_for_array_data(self, array: NamedTensor) -> Any:
        return self._of_array(array).get_sharding_info_for_array_data(array.array)

    def should_autovisualize(self, array: NamedTensor) -> bool:
        return has_values(array.array) and array.array.ndim == len(array.dims) and array.size > 0


ADAPTER = NamedTensorAdapter()


def rendering(x: NamedTensor, path: str | None) -> Any:
    """The picture of the values, folded to one line where there is no room; a line without values."""
    if picture := treescope.ArrayAutovisualizer()(x, path):
        return picture.rendering
    return rendering_parts.build_one_line_tree_node(
        rendering_parts.abbreviation_color(rendering_parts.text(f"<{x!r}>")), path
    )
