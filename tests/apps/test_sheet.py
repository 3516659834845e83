"""`python -m jaxpose sheet`: photographs of a config's data with their true poses."""

import pathlib

import cv2
import numpy as np
import pytest

from jaxpose.apps import command, sheet

CONFIG = pathlib.Path(__file__).parents[1] / "experiments" / "tiny.py"


def run(lspet, folder, *more: str) -> int:
    return command.main(
        ["sheet", "--config", str(CONFIG), "--data-dir", str(lspet[0] / "data")]
        + [
            "--manual-dir",
            str(lspet[0] / "manual"),
            "--out",
            str(folder / "sheet.png"),
            *more,
        ]
    )


@pytest.mark.parametrize("split", [[], ["--split", "test"]])
def test_a_sheet_shows_as_many_photographs_as_asked_for(lspet, tmp_path, capsys, split):
    assert run(lspet, tmp_path, "--count", "5", *split) == 0
    assert capsys.readouterr().out.strip().endswith("sheet.png")
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    height, width = sheet.TILE
    assert picture.shape == (2 * height + 2, 3 * width + 4, 3)
    # The sixth place stays white.
    assert (picture[height + 2 :, 2 * width + 4 :] == 255).all()


def test_poses_are_drawn_on_it(lspet, tmp_path):
    run(lspet, tmp_path, "--count", "1")
    picture = cv2.imread(str(tmp_path / "sheet.png")).astype(int)
    # The miniature photographs are grey; only what is drawn on them has a colour.
    assert (np.ptp(picture, axis=-1) > 100).sum() > 200


@pytest.mark.parametrize(
    "more, message",
    [
        (["--split", "val"], "no split 'val'; it has test"),
        (["--count", "0"], "count=0 photographs"),
        (["--out", "nowhere/sheet.png"], "give a folder that exists"),
        (["--out", "sheet.xyz"], "sheet.xyz cannot be written; give a folder that exi"),
        (["--out", "sheet"], "sheet cannot be written; give a folder that exists, and"),
    ],
)
def test_what_cannot_be_drawn_is_refused(lspet, tmp_path, capsys, more, message):
    assert run(lspet, tmp_path, *more) == 2
    assert message in capsys.readouterr().err
