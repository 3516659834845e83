"""Miniature archives of several data sets, and people of all of them together."""

import pathlib

import archives
import coco_archive
import mpii_archive

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from data_builders.lsp import lsp_dataset_builder as lsp
from data_builders.lspet import lspet_dataset_builder as lspet
from data_builders.mpii import mpii_dataset_builder as mpii
from jaxpose import data, records, regions
from jaxpose.skeletons import COCO, Skeleton

# Everything that COCO or MPII labels, as somebody would write it into a config.
BOTH = Skeleton(
    name="COCO and MPII",
    keypoints=(*COCO.keypoints, "pelvis", "thorax", "neck", "head_top"),
    flip=(*COCO.flip, 17, 18, 19, 20),
    limbs=COCO.limbs,
    sigmas=(*COCO.sigmas, 0.1, 0.1, 0.1, 0.1),
)
SIZE = (32, 32)


def coco_person(number: int) -> list[int]:
    """x, y, flag of 17 keypoints of which none has the place of another."""
    return [v for k in range(17) for v in (1 + k % 8, 1 + k // 8 + number % 4, 2)]


def write(manual: pathlib.Path) -> None:
    """LSP, LSPET, MPII, and eight people in a file of COCO's format."""
    for module in (lsp, lspet):
        files = archives.archive_files(module)
        archives.write_folder(manual, archives.name_of(module), files)
    files = mpii_archive.files(mpii_archive.miniature())
    archives.write_folder(manual, "mpii", files)
    archives.write_folder(manual, "coco", coco_files())


def coco_files() -> archives.Files:
    """A person on each of eight photographs."""
    numbers = range(1, 9)
    some = [
        coco_archive.annotation(100 + n, n, keypoints=coco_person(n)) for n in numbers
    ]
    images = [coco_archive.image(n, f"{n}.jpg") for n in numbers]
    files = {f"{n}.jpg": archives.photograph(n) for n in numbers}
    return {"own.json": coco_archive.content(images, some), **files}


def source(root: pathlib.Path, name: str, split: str = "train") -> records.Split:
    """One of the data sets; that of COCO's format has no other split."""
    if name == "coco":
        folder = root / "manual" / "coco"
        own = coco.Format(
            annotations={"train": str(folder / "own.json")}, images=str(folder)
        )
        return records.Split(
            builder=coco.Builder, config=own, split=split, region=regions.KnownBox()
        )
    if name == "mpii":
        return records.Split(
            builder=mpii.Builder, split=split, region=regions.BodyScale()
        )
    return records.Split(builder=lsp.Builder, split=split, region=regions.WholeImage())


def opened(
    root: pathlib.Path, skeleton: Skeleton, *names: str, split: str = "train"
) -> data.Examples:
    """The data sets one after the other."""
    sources = tuple(source(root, name, split) for name in names)
    mixed = data.Data(sources=sources, skeleton=skeleton, size=SIZE, threads=2)
    return mixed.open(str(root / "data"), str(root / "manual"))
