"""Lists of photographs that others split COCO by."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

# Numbers of 500 photographs of train2014, which train2017 has as well.
# Source: those that Newell et al. 2017, "Associative Embedding", validate on, as their
# pose-ae-train has them.
AE_VALID = pathlib.Path(__file__).with_name("ae_valid.txt")


def metadata(shown: Mapping[str, Sequence[int]]) -> dict[str, dict[str, Any]]:
    """`ae_valid`, what of the list is in `train`, and `ae_train`, the rest of `train`.

    Args:
        shown: split -> numbers of its photographs, in the order of the records.
    Returns: as data_builders/README.md describes subsets; those of nothing are not in.
    """
    listed = {int(number) for number in AE_VALID.read_text().split()}
    records: dict[str, list[int]] = {"ae_valid": [], "ae_train": []}
    for record, number in enumerate(shown.get("train", ())):
        records["ae_valid" if number in listed else "ae_train"].append(record)
    return {
        name: {"splits": ["train"], "people": "", "records": [numbers]}
        for name, numbers in records.items()
        if numbers
    }
