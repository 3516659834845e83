"""State dicts of published networks: names and shapes, and filled ones.

Source: specs/hourglass.md, sections 4 and 13, and specs/adversarial_ae.md, section 1.5;
the weights are a recipe of reference/README.md.
"""

import re
import zlib
from collections.abc import Iterable, Iterator

import numpy as np

Entry = tuple[str, tuple[int, ...]]


def convolution(name: str, i: int, o: int, kernel: int = 1) -> Iterator[Entry]:
    yield f"{name}.weight", (o, i, kernel, kernel)
    yield f"{name}.bias", (o,)


def norm(name: str, channels: int, *, running: bool = True) -> Iterator[Entry]:
    entries = ("weight", "bias", "running_mean", "running_var")
    for entry in entries if running else entries[:2]:
        yield f"{name}.{entry}", (channels,)


def residual(name: str, i: int, half: int, running: bool) -> Iterator[Entry]:
    layers = ((i, half, 1), (half, half, 3), (half, 2 * half, 1))
    for number, (before, after, kernel) in enumerate(layers, start=1):
        yield from norm(f"{name}.bn{number}", before, running=running)
        yield from convolution(f"{name}.conv{number}", before, after, kernel)
    if i != 2 * half:
        yield from convolution(f"{name}.downsample.0", i, 2 * half)


def hourglass(
    *, stacks: int, blocks: int = 1, k: int = 16, running: bool = True
) -> dict[str, tuple[int, ...]]:
    """PyTorch-Pose's `hg`; without running statistics its `hg_gn`."""

    def entries() -> Iterator[Entry]:
        yield from convolution("conv1", 3, 64, 7)
        yield from norm("bn1", 64, running=running)
        for number, (i, half) in enumerate(((64, 64), (128, 128), (256, 128)), 1):
            yield from residual(f"layer{number}.0", i, half, running)
        for stack in range(stacks):
            places = [f"hg.{stack}.hg.0.3"]
            places += [f"hg.{stack}.hg.{n}.{p}" for n in range(4) for p in range(3)]
            for place in (*places, f"res.{stack}"):
                for block in range(blocks):
                    yield from residual(f"{place}.{block}", 256, 128, running)
            yield from convolution(f"fc.{stack}.0", 256, 256)
            yield from norm(f"fc.{stack}.1", 256, running=running)
            yield from convolution(f"score.{stack}", 256, k)
            if stack < stacks - 1:
                yield from convolution(f"fc_.{stack}", 256, 256)
                yield from convolution(f"score_.{stack}", k, 256)

    return dict(entries())


def pose_resnet50(k: int = 16) -> dict[str, tuple[int, ...]]:
    """PyTorch-Pose's `pose_resnet` of 50 layers; its trunk is torchvision's."""

    def bare(name: str, i: int, o: int, kernel: int, after: str) -> Iterator[Entry]:
        yield f"{name}.weight", (o, i, kernel, kernel)
        yield from norm(after, o)

    def entries() -> Iterator[Entry]:
        yield from bare("backbone.conv1", 3, 64, 7, "backbone.bn1")
        i = 64
        for stage, blocks in enumerate((3, 4, 6, 3)):
            f = 64 * 2**stage
            for block in range(blocks):
                name = f"backbone.layer{stage + 1}.{block}"
                layers = ((i, f, 1), (f, f, 3), (f, 4 * f, 1))
                for number, layer in enumerate(layers, start=1):
                    yield from bare(
                        f"{name}.conv{number}", *layer, f"{name}.bn{number}"
                    )
                if block == 0:
                    down = f"{name}.downsample"
                    yield from bare(f"{down}.0", i, 4 * f, 1, f"{down}.1")
                i = 4 * f
        for number, inputs in ((0, 2048), (3, 256), (6, 256)):
            yield f"head.features.{number}.weight", (inputs, 256, 4, 4)
            yield from norm(f"head.features.{number + 1}", 256)
        yield from convolution("head.features.9", 256, k)

    return dict(entries())


def associative(
    *,
    stacks: int,
    channels: int = 68,
    features: int = 256,
    increase: int = 128,
    pose_net: bool = False,
) -> dict[str, tuple[int, ...]]:
    """hgpose-ae's `HourglassAENet`, or pose-ae-train's `PoseNet` as it was trained."""
    conv, layer = (".conv", ".conv") if pose_net else ("", ".0.0")
    stem = ("pre.0", "pre.1", "pre.3", "pre.4")
    stem = stem if pose_net else ("head.0", "head.2", "head.5", "head.7")
    after = ("1", "2") if pose_net else ("1", "3")

    def level(name: str, f: int, depth: int) -> Iterator[Entry]:
        g = f + increase
        yield from convolution(f"{name}.up1{layer}", f, f, 3)
        yield from convolution(f"{name}.low1{layer}", f, g, 3)
        if depth > 1:
            yield from level(f"{name}.low2", g, depth - 1)
        else:
            yield from convolution(f"{name}.low2{layer}", g, g, 3)
        yield from convolution(f"{name}.low3{layer}", g, f, 3)

    def entries() -> Iterator[Entry]:
        widths = (3, 64, 128, 128, features)
        for n, name in enumerate(stem):
            yield from convolution(f"{name}{conv}", *widths[n : n + 2], 3 if n else 7)
        for i in range(stacks):
            yield from level(f"features.{i}.0", features, 4)
            for place in after:
                name = f"features.{i}.{place}{conv}"
                yield from convolution(name, features, features, 3)
            yield from convolution(f"outs.{i}{conv}", features, channels)
        for i in range(stacks - 1):
            name = f"merge_features.{i}.conv{conv}"
            yield from convolution(name, features, features)
            yield from convolution(f"merge_preds.{i}.conv{conv}", channels, features)

    prefix = "model.module." if pose_net else ""
    return {f"{prefix}{name}": shape for name, shape in entries()}


def filled(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """The weights that the recorded runs had: from each entry's name and shape."""

    def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
        random = np.random.RandomState(zlib.crc32(name.encode()))
        if name.endswith("running_var"):
            return 1 + 0.2 * random.rand(*shape)
        normal = random.randn(*shape)
        if len(shape) == 4:
            return normal * np.sqrt(0.4 / np.prod(shape[1:]))
        if name.endswith(("bias", "running_mean")):
            return 0.1 * normal
        return 1 + 0.1 * normal

    return {
        name: value(name, shape).astype(np.float32) for name, shape in shapes.items()
    }


def hgpose(keys: Iterable[str]) -> dict[str, np.ndarray]:
    """The recorded weights of its hourglass or discriminator, by PyTorch-Pose's names.

    The other original counts its levels from outside.

    Args:
        keys: its own names and shapes, as "name|shape".
    """
    state = {}
    for name, shape in (str(key).split("|") for key in keys):
        renamed = re.sub(r"^res(\d)\.", r"layer\1.0.", name)
        renamed = renamed.replace("conv_skip", "downsample.0")
        renamed = re.sub(
            r"(hg\.\d\.hg)\.(\d)", lambda m: f"{m[1]}.{3 - int(m[2])}", renamed
        )
        shape = tuple(map(int, re.findall(r"\d+", shape)))
        state[renamed] = det_filled(name, shape)
    return state


def det_filled(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weights of the adversarial and associative originals, by another recipe."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    z = random.standard_normal(size=shape)
    if len(shape) == 4:
        return (z / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    if name.endswith("running_var"):
        return (1 + 0.1 * np.abs(z)).astype(np.float32)
    if name.endswith("running_mean"):
        return (0.1 * z).astype(np.float32)
    return (0.05 * z if name.endswith("bias") else 1 + 0.1 * z).astype(np.float32)
