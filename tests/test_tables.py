import json
import math

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


def test_conventions_stand_side_by_side_with_blanks():
    strict = Table(
        name="PCKh@0.5",
        convention="[a] <",
        values={"ankle": 5.25},
        mean=52.5,
        extra={"Mean@0.1": 1.0},
    )
    loose = Table(
        name="PCKh@0.5",
        convention="[long name] <=",
        values={"ankle": 6.0},
        mean=53.0,
        extra={"Mean@0.11": 2.0},
    )
    columns = {"a": strict, "long name": loose}
    assert tables.side_by_side(columns).splitlines() == [
        "                  a  long name",
        "ankle          5.25       6.00",
        "mean          52.50      53.00",
        "Mean@0.1       1.00",
        "Mean@0.11                 2.00",
        "PCKh@0.5 [a] <",
        "PCKh@0.5 [long name] <=",
    ]


def test_tables_of_the_same_rows_are_joined():
    first = Table(
        name="PCK@0.2", convention="", values={"a": 5.0}, mean=5.0, extra={"AUC": 1.0}
    )
    limbs = Table(name="PCP@0.5", convention="", values={"arm": 7.0}, mean=7.0)
    second = Table(name="MSE", convention="", values={"a": 0.5}, mean=0.5)
    groups = tables.same_rows([first, limbs, second])
    assert groups == [[first, second], [limbs]]
    assert tables.joined_text(groups[0]).splitlines() == [
        "       PCK@0.2       MSE",
        "a         5.00   0.50000",
        "mean      5.00   0.50000",
    ]
    assert tables.rows(groups[0])["AUC"] == ["1.00", ""]


def test_the_row_of_the_source_stands_above_the_convention():
    table = Table(
        name="PCP@0.5",
        convention="strict",
        values={"right_arm": 50.0},
        mean=81.25,
        row={"U Arm": 50.0, "L Arm": float("nan"), "mean": 81.25},
    )
    assert tables.text(table).splitlines()[-3:] == [
        "U Arm\tL Arm\tmean",
        "0.500\tnan\t0.812",
        "strict",
    ]
    data = json.loads(json.dumps(tables.as_data(table), allow_nan=False))
    assert tables.text(tables.from_data(data)) == tables.text(table)
    # Runs of older versions are still read.
    del data["row"]
    assert tables.from_data(data).row == {}


def test_means_of_splits_stand_below_one_another():
    def found(**means: float) -> list[Table]:
        return [
            Table(name=name, convention="", values={}, mean=mean)
            for name, mean in means.items()
        ]

    splits = {
        "extension_1_0": found(PCP=0.25, MSE=0.5),
        "test": found(PCP=12.5, PCKh_by_stick=99.0),
    }
    assert tables.means(splits).splitlines() == [
        "                    PCP       MSE  PCKh_by_stick",
        "extension_1_0      0.25   0.50000",
        "test              12.50                    99.00",
    ]


def test_json_data_has_no_nan_and_comes_back():
    table = Table(
        name="PCK@0.2",
        convention="<=",
        values={"a": 5.0, "b": float("nan")},
        mean=5.0,
        extra={"AUC": 1.5, "far": float("inf")},
    )
    data = json.loads(json.dumps(tables.as_data(table), allow_nan=False))
    assert data["keypoints"] == {"a": 5.0, "b": None} and data["extra"]["far"] is None
    back = tables.from_data(data)
    assert (back.name, back.convention, back.mean) == ("PCK@0.2", "<=", 5.0)
    assert back.values["a"] == 5 and math.isnan(back.values["b"])
