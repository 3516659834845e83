import numpy as np
import people
import pytest

from data_builders.lspet import lspet_dataset_builder
from jaxpose import ordered, records, regions, skeletons

SPLIT = records.Split(
    builder=lspet_dataset_builder.Builder, split="train", region=regions.WholeImage()
)


def test_an_order_takes_its_part_of_all_sources(lspet, tmp_path):
    root, truth = lspet
    order = tmp_path / "order.txt"
    numbers = np.random.default_rng(0).permutation(2 * people.PEOPLE)
    order.write_text(",".join(map(str, numbers)))
    split = ordered.Ordered(sources=(SPLIT, SPLIT), order=str(order), start=10, stop=30)
    opened = split.open(str(root / "data"), str(root / "manual"), skeletons.LSP)
    assert split.boxes == "WholeImage()"
    expected = numbers[10:30] % people.PEOPLE
    np.testing.assert_allclose(opened.keypoints, truth[expected], atol=1e-5)
    for row in range(20):
        _, number = opened.photographs.locate(int(opened.record[row]))
        assert (
            number == expected[row] and opened.names[row] == f"im{number + 1:05d}.jpg"
        )


def test_an_order_of_other_data_is_refused(lspet, tmp_path):
    order = tmp_path / "order.txt"
    order.write_text("2,1,0")
    split = ordered.Ordered(sources=(SPLIT,), order=str(order), start=0, stop=2)
    with pytest.raises(ValueError, match=r"orders 3 people.*has 24 \(lspet/train 24\)"):
        split.open(str(lspet[0] / "data"), str(lspet[0] / "manual"), skeletons.LSP)
