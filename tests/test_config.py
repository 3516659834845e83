"""Configs as postponed calls: building, overriding, describing, comparing."""

import dataclasses
import functools

import pytest
from ml_collections import ConfigDict

from jaxpose import config as configs
from jaxpose.config import build, spec
from jaxpose.skeletons import LSP


@dataclasses.dataclass(frozen=True, kw_only=True)
class Leaf:
    size: int
    rate: float = 0.5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tree:
    first: Leaf
    others: tuple[Leaf, ...] = ()


def tree():
    return spec(Tree, first=spec(Leaf, size=1), others=(spec(Leaf, size=2),))


def test_calls_are_made_innermost_first():
    built = build(ConfigDict({"tree": tree(), "seed": 3}))
    expected = Tree(first=Leaf(size=1), others=(Leaf(size=2),))
    assert built == {"tree": expected, "seed": 3}
    assert type(built) is dict


def test_building_twice_makes_two_and_changes_no_config():
    config = spec(dict, items=spec(list))
    first, second = build(config), build(config)
    first["items"].append(1)
    assert second["items"] == []
    assert config == spec(dict, items=spec(list))


def test_fields_can_be_overridden_with_their_type_and_name_checked():
    config = tree()
    config.update_from_flattened_dict({"first.size": 7})
    assert build(config).first == Leaf(size=7)
    with pytest.raises(TypeError):
        config.first.size = "seven"
    config.lock()
    with pytest.raises(AttributeError):
        config.first.sise = 7


def test_a_failing_call_says_which_it_was():
    with pytest.raises(TypeError) as caught:
        build(ConfigDict({"tree": spec(Tree, first=spec(Leaf, sise=1))}))
    notes = caught.value.__notes__
    assert notes == [f"while building {__name__}.Leaf(sise)"]


def test_description_is_plain_data():
    described = configs.describe(ConfigDict({"tree": tree(), "skeleton": LSP}))
    assert described == {
        "tree": {
            "fn": f"{__name__}.Tree",
            "first": {"fn": f"{__name__}.Leaf", "size": 1},
            "others": [{"fn": f"{__name__}.Leaf", "size": 2}],
        },
        "skeleton": configs.describe(dataclasses.asdict(LSP)),
    }
    assert described["skeleton"]["flip"] == [
        5,
        4,
        3,
        2,
        1,
        0,
        11,
        10,
        9,
        8,
        7,
        6,
        12,
        13,
    ]


def test_a_partial_is_described_by_what_it_calls_and_with_what():
    """GroupNorm's remedy for odd widths is one of these."""
    config = spec(Tree, first=functools.partial(Leaf, size=1, rate=0.25))
    assert configs.describe(config)["first"] == {
        "partial": f"{__name__}.Leaf",
        "args": [],
        "keywords": {"size": 1, "rate": 0.25},
    }
    assert configs.describe(functools.partial(Leaf, 3))["args"] == [3]
    assert build(config).first() == Leaf(size=1, rate=0.25)


def test_differences_name_the_path():
    a = {"x": {"y": 1, "same": 0}, "gone": 2}
    b = {"x": {"y": 3, "same": 0}, "new": {"z": 4}}
    assert configs.differences(a, b) == [
        ("gone", 2, "(absent)"),
        ("new", "(absent)", {"z": 4}),
        ("x.y", 1, 3),
    ]
    assert configs.differences(a, a) == []
