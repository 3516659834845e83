"""Which library draws a person's parts fastest: OpenCV, Pillow, aggdraw, Skia or Cairo.

    pip install aggdraw skia-python cairocffi
    python -m benchmarks.drawing --out benchmarks/results/drawing_cpu.json

Forty smooth-edged convex shapes of 24 corners on a picture of 256 x 256 pixels, flat and,
where the library can, with a stretched texture. Libraries that are not installed are left
out. Pillow has no smooth edges: it draws at four times the size and shrinks.
"""

import argparse
import contextlib
import importlib
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np

SIDE, COUNT, CORNERS = 256, 40, 24
Shapes = list[tuple[np.ndarray, list[int]]]


def shapes() -> Shapes:
    """Ellipses of the size of limbs, with a colour each."""
    rng = np.random.default_rng(0)
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    circle = np.stack([2 * np.cos(turn), np.sin(turn)], axis=-1)
    return [
        (
            rng.uniform(40, 216, 2) + rng.uniform(6, 20) * circle,
            rng.integers(0, 255, 3).tolist(),
        )
        for _ in range(COUNT)
    ]


TEXTURE = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)


def opencv(drawn: Shapes) -> None:
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    for corners, color in drawn:
        fixed = np.rint(corners * 16).astype(np.int32)
        cv2.fillConvexPoly(image, fixed, color, cv2.LINE_AA, 4)


def opencv_textured(drawn: Shapes) -> None:
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    for corners, _ in drawn:
        x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
        x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, SIDE)
        fixed = np.rint((corners - (x0, y0)) * 16).astype(np.int32)
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillConvexPoly(mask, fixed, 255, cv2.LINE_AA, 4)
        matrix = np.array([[1.5, 0.1, 0], [0.1, 1.5, 0]])
        cloth = cv2.warpAffine(TEXTURE, matrix, (x1 - x0, y1 - y0))
        cover, part = mask.astype(np.float32) / 255, image[y0:y1, x0:x1]
        part[:] = cv2.blendLinear(cloth, part, cover, 1 - cover)


def pillow(drawn: Shapes) -> None:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (4 * SIDE, 4 * SIDE))
    draw = ImageDraw.Draw(image)
    for corners, color in drawn:
        draw.polygon([tuple(c) for c in (4 * corners).tolist()], fill=tuple(color))
    np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))


def aggdraw(drawn: Shapes) -> None:
    import aggdraw
    from PIL import Image

    image = Image.new("RGB", (SIDE, SIDE))
    draw = aggdraw.Draw(image)
    for corners, color in drawn:
        draw.polygon(corners.ravel().tolist(), None, aggdraw.Brush(tuple(color)))
    draw.flush()
    np.asarray(image)


def skia(drawn: Shapes, *, textured: bool = False) -> None:
    import skia

    surface = skia.Surface(np.zeros((SIDE, SIDE, 4), np.uint8))
    opaque = np.dstack([TEXTURE, np.full((64, 64), 255, np.uint8)])
    shader = skia.Image.fromarray(np.ascontiguousarray(opaque)).makeShader(
        skia.TileMode.kMirror,
        skia.TileMode.kMirror,
        skia.SamplingOptions(skia.FilterMode.kLinear),
    )
    for corners, color in drawn:
        path = skia.Path()
        path.addPoly([skia.Point(*corner) for corner in corners.tolist()], True)
        paint = skia.Paint(AntiAlias=True, Color=skia.Color(*color))
        if textured:
            paint = skia.Paint(AntiAlias=True, Shader=shader)
        surface.getCanvas().drawPath(path, paint)


def skia_textured(drawn: Shapes) -> None:
    skia(drawn, textured=True)


def cairo(drawn: Shapes) -> None:
    import cairocffi

    surface = cairocffi.ImageSurface(cairocffi.FORMAT_RGB24, SIDE, SIDE)
    context = cairocffi.Context(surface)
    for corners, color in drawn:
        context.move_to(*corners[0])
        for corner in corners[1:].tolist():
            context.line_to(*corner)
        context.set_source_rgb(*(channel / 255 for channel in color))
        context.fill()


DRAWERS: dict[str, tuple[str, Callable[[Shapes], None]]] = {
    "OpenCV": ("cv2", opencv),
    "OpenCV, textured": ("cv2", opencv_textured),
    "Pillow at four times the size": ("PIL", pillow),
    "aggdraw": ("aggdraw", aggdraw),
    "Skia": ("skia", skia),
    "Skia, textured": ("skia", skia_textured),
    "Cairo (cairocffi)": ("cairocffi", cairo),
}


def available() -> Iterator[tuple[str, Callable[[Shapes], None]]]:
    """Drawers whose library is installed, and finds what it needs of the system."""
    for name, (module, drawer) in DRAWERS.items():
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module(module)
            yield name, drawer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=50)
    parser.add_argument("--out", help="JSON file for the result")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    drawn, drawers = shapes(), dict(available())
    best = dict.fromkeys(drawers, float("inf"))
    # In turns, so that what else the machine does meets all alike.
    for _ in range(options.repeat):
        for name, drawer in drawers.items():
            start = time.perf_counter()
            drawer(drawn)
            best[name] = min(best[name], time.perf_counter() - start)
    result = {name: round(1e6 * seconds / COUNT, 1) for name, seconds in best.items()}
    for name, microseconds in result.items():
        ratio = microseconds / result["OpenCV"]
        print(f"{name:32}{microseconds:8} microseconds a shape {ratio:6.1f} x")
    if options.out:
        with open(options.out, "w") as file:
            json.dump(
                {
                    "microseconds a shape, best of runs": result,
                    "device": f"one core, {platform.processor() or platform.machine()}",
                    "opencv": importlib.metadata.version("opencv-python-headless"),
                    "command": f"python -m benchmarks.drawing --repeat {options.repeat}",
                },
                file,
                indent=1,
            )


if __name__ == "__main__":
    main()
