"""People in an order written down."""

import dataclasses

import numpy as np

from jaxpose import records
from jaxpose.skeletons import Skeleton


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ordered:
    """Part of several sources in an order written down: a split of somebody's own.

    Attributes:
        order: text file of record numbers over all sources, separated by commas.
        start, stop: the part of the order to take.
    """

    sources: tuple[records.Source, ...]
    order: str
    start: int
    stop: int

    @property
    def boxes(self) -> str:
        return " and ".join(dict.fromkeys(source.boxes for source in self.sources))

    def open(
        self, data_dir: str, manual_dir: str, skeleton: Skeleton
    ) -> records.People:
        """Raises: ValueError if the order names more people than there are."""
        order = np.loadtxt(self.order, delimiter=",", dtype=np.int64)
        people = records.concatenate(
            [source.open(data_dir, manual_dir, skeleton) for source in self.sources]
        )
        if len(order) != len(people):
            names = ", ".join(
                f"{name} {len(split)}"
                for name, split in zip(
                    people.photographs.names, people.photographs.splits, strict=True
                )
            )
            raise ValueError(
                f"{self.order} orders {len(order)} people, but the prepared data has "
                f"{len(people)} ({names}); this split needs the complete data sets"
            )
        return people.take(order[self.start : self.stop])
