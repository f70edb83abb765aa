"""Models that PyTorch exports, read by namedtensor: both exporters, several opsets, compared with PyTorch.

With --write it makes the small files that the tests read (tests/data/onnx): model.onnx, and the inputs
and outputs that PyTorch computed. Needs torch and onnxscript beside this package.

Run: python benchmarks/onnx_from_torch.py [--write tests/data/onnx]
"""

import argparse
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import onnx
import torch
from torch import nn

import namedtensor as nt

warnings.filterwarnings("ignore")
SEED = 7


class Residual(nn.Module):
    """Two convolutions with batch norms, and a shortcut."""

    def __init__(self, before: int, width: int, stride: int):
        """Its parts."""
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.down = nn.Conv2d(before, width, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + self.down(x))


class ResNet(nn.Module):
    """A stem with pooling, two residual blocks, a head."""

    def __init__(self):
        """Its parts."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.layer1, self.layer2 = Residual(8, 8, 1), Residual(8, 16, 2)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.flatten(self.pool(self.layer2(self.layer1(self.stem(x)))), 1))


class MBConv(nn.Module):
    """An inverted bottleneck with squeeze and excitation (Sandler et al. 2018; Tan and Le 2019)."""

    def __init__(self):
        """Its parts."""
        super().__init__()
        self.expand, self.depth = nn.Conv2d(3, 12, 1), nn.Conv2d(12, 12, 3, 2, 1, groups=12)
        self.norm, self.act = nn.BatchNorm2d(12), nn.Hardswish()
        self.squeeze, self.excite = nn.Conv2d(12, 4, 1), nn.Conv2d(4, 12, 1)
        self.project, self.head = nn.Conv2d(12, 6, 1), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.norm(self.depth(self.act(self.expand(x)))))
        gate = torch.sigmoid(
            self.excite(torch.nn.functional.silu(self.squeeze(y.mean((2, 3), keepdim=True))))
        )
        return self.head(self.project(y * gate).mean((2, 3)))


class UNet(nn.Module):
    """Down, up by a transposed convolution and by interpolation, with what is skipped joined again."""

    def __init__(self):
        """Its parts."""
        super().__init__()
        self.down1, self.down2 = nn.Conv2d(3, 6, 3, 1, 1), nn.Conv2d(6, 8, 3, 2, 1)
        self.middle, self.norm = nn.Conv2d(8, 8, 3, 1, 2, dilation=2), nn.GroupNorm(2, 8)
        self.up, self.out = nn.ConvTranspose2d(8, 6, 2, 2), nn.Conv2d(12, 2, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        one = torch.nn.functional.leaky_relu(self.down1(x))
        two = torch.nn.functional.elu(self.norm(self.middle(torch.relu(self.down2(one)))))
        up = self.up(two) + torch.nn.functional.interpolate(two, scale_factor=2, mode="bilinear")[:, :6]
        return self.out(torch.cat([up, one], 1))


class Recurrent(nn.Module):
    """An LSTM in both directions, then a GRU."""

    def __init__(self):
        """Its parts."""
        super().__init__()
        self.lstm = nn.LSTM(5, 6, batch_first=True, bidirectional=True)
        self.gru, self.head = nn.GRU(12, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.gru(self.lstm(x)[0])[0][:, -1])


class Encoder(nn.Module):
    """Token and position embeddings, two transformer layers, the mean."""

    def __init__(self):
        """Its parts."""
        super().__init__()
        self.tokens, self.positions = nn.Embedding(50, 16), nn.Embedding(12, 16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation="gelu", norm_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        there = torch.arange(ids.shape[1], device=ids.device)
        return self.head(self.layers(self.tokens(ids) + self.positions(there)).mean(1))


class Decoder(nn.Module):
    """Causal attention with fused heads, as in GPT-2 (Radford et al. 2019)."""

    def __init__(self):
        """Its parts."""
        super().__init__()
        self.tokens, self.norm = nn.Embedding(40, 16), nn.LayerNorm(16)
        self.qkv, self.project = nn.Linear(16, 48), nn.Linear(16, 16)
        self.up, self.down, self.last = nn.Linear(16, 32), nn.Linear(32, 16), nn.LayerNorm(16)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.tokens(ids)
        parts = self.qkv(self.norm(x)).chunk(3, -1)
        q, k, v = (p.unflatten(-1, (2, 8)).transpose(1, 2) for p in parts)
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).flatten(2))
        x = self.last(x + self.down(torch.nn.functional.gelu(self.up(x), approximate="tanh")))
        return torch.log_softmax(x @ self.tokens.weight.T, -1)


class Patches(nn.Module):
    """A vision transformer: patches, a class token, attention (Dosovitskiy et al. 2021)."""

    def __init__(self):
        """Its parts."""
        super().__init__()
        self.patch, self.token = nn.Conv2d(3, 16, 4, 4), nn.Parameter(torch.randn(1, 1, 16))
        self.positions = nn.Parameter(torch.randn(1, 17, 16))
        self.attention, self.norm = nn.MultiheadAttention(16, 2, batch_first=True), nn.LayerNorm(16)
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        y = self.norm(x)
        return self.head((x + self.attention(y, y, y, need_weights=False)[0])[:, 0])


def images() -> torch.Tensor:
    return torch.randn(2, 3, 16, 16)


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], torch.Tensor], dict[int, str]]] = {
    "resnet": (ResNet, images, {0: "batch"}),
    "mbconv": (MBConv, images, {0: "batch"}),
    "unet": (UNet, images, {0: "batch"}),
    "recurrent": (Recurrent, lambda: torch.randn(2, 6, 5), {0: "batch"}),
    "encoder": (Encoder, lambda: torch.randint(0, 50, (2, 9)), {0: "batch", 1: "sequence"}),
    "decoder": (Decoder, lambda: torch.randint(0, 40, (2, 7)), {0: "batch"}),
    "vit": (Patches, images, {0: "batch"}),
}
ATTENTION = {"encoder", "decoder", "vit"}
EXPORTERS = {"traced-9": (False, 9), "traced-17": (False, 17), "dynamo-newest": (True, None)}


def scaled(model: nn.Module) -> nn.Module:
    """Random weights of a usual size, in the norms too: zeros and ones would hide faults."""
    model = model.eval()
    for name, array in [*model.named_parameters(), *model.named_buffers()]:
        if array.is_floating_point():
            centre = (
                1.0
                if name.endswith(("running_var",)) or ("norm" in name and name.endswith("weight"))
                else 0.0
            )
            spread = 0.2 if array.ndim < 2 else array[0].numel() ** -0.5
            array.data = centre + spread * torch.randn_like(array).clamp(-2, 2)
            if name.endswith("running_var"):
                array.data = array.data.abs() + 0.1
    return model


def exported(
    model: nn.Module, x: torch.Tensor, axes: dict[int, str], dynamo: bool, opset: int | None
) -> bytes:
    """The file, with these axes free."""
    out = io.BytesIO()
    options: dict[str, Any] = {"opset_version": opset, "input_names": ["input"], "output_names": ["output"]}
    if dynamo:
        shapes = {i: torch.export.Dim(name, min=1, max=64) for i, name in axes.items()}
        program = torch.onnx.export(
            model, (x,), dynamo=True, dynamic_shapes=(shapes,), verbose=False, **options
        )
        out.write(program.model_proto.SerializeToString())
    else:
        torch.onnx.export(
            model, (x,), out, dynamo=False, dynamic_axes={"input": axes, "output": {0: "batch"}}, **options
        )
    return _stripped(out.getvalue())


def _stripped(data: bytes) -> bytes:
    """Without the notes about whose files the code was in; the names of modules stay."""
    proto = onnx.ModelProto.FromString(data)
    for node in proto.graph.node:
        kept = [p for p in node.metadata_props if p.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.ClearField("doc_string")
    for value in (*proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del value.metadata_props[:]
    del proto.graph.metadata_props[:], proto.metadata_props[:]
    return proto.SerializeToString()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", type=Path, help="folder for the small files of the tests")
    folder = parser.parse_args().write
    print("| model | exporter | nodes | bytes | largest difference / largest output |\n|---|---|---|---|---|")
    for name, (make, example, axes) in MODELS.items():
        torch.manual_seed(SEED)
        model, x = scaled(make()), example()
        more = torch.cat([x, x.flip(0)[:1]])  # another batch than the exporter saw
        expected = model(more).detach().numpy()
        for exporter, (dynamo, opset) in EXPORTERS.items():
            if name in ATTENTION and opset == 9:
                continue  # PyTorch exports attention from opset 14 on
            data = exported(model, x, axes, dynamo, opset)
            loaded = nt.interop.onnx.load(data)
            found = np.asarray(jax.jit(loaded)(more.numpy()))
            error = np.abs(found - expected).max() / np.abs(expected).max()
            print(
                f"| {name} | {exporter} | {len(loaded.program.graph.nodes)} | {len(data)} | {error:.1e} |",
                flush=True,
            )
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{name}-{exporter}.onnx").write_bytes(data)
        if folder is not None:
            np.savez_compressed(folder / f"{name}.npz", input=more.numpy(), output=expected)


if __name__ == "__main__":
    main()
