from jaxpose import tables
from jaxpose.types import Table


def test_numbers_align_and_the_convention_is_named():
    table = Table(
        name="PCK@0.2",
        convention="threshold 0.2, <=",
        values={"ankle": 5.25, "head": 100.0},
        mean=52.625,
        extra={"AUC": float("nan")},
    )
    assert tables.text(table).splitlines() == [
        "PCK@0.2",
        "ankle      5.25",
        "head     100.00",
        "mean      52.62",
        "AUC         nan",
        "threshold 0.2, <=",
    ]


def test_small_errors_keep_their_digits():
    table = Table(name="MSE", convention="", values={"all": 0.01234}, mean=0.01234)
    assert "all    0.01234" in tables.text(table)
