import json
import pathlib

import people
import pytest
from ml_collections import ConfigDict

from jaxpose import workdir


def experiment(**changes) -> ConfigDict:
    config = ConfigDict(people.fields("somewhere"))
    config.update(changes)
    return config


def test_a_workdir_tells_what_made_it(tmp_path):
    workdir.claim(tmp_path / "run", experiment())
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stored["learner"]["fn"] == "jaxpose.learners.supervised.Supervised"
    assert stored["learner"]["objective"]["size"] == [24, 24]
    versions = json.loads((tmp_path / "run" / "versions.json").read_text())
    assert set(versions["packages"]) >= {"jax", "flax", "optax", "numpy"}
    assert len(versions["devices"]) == 8 and versions["processes"] == 1


def test_the_same_config_may_go_on_elsewhere_and_longer(tmp_path):
    workdir.claim(tmp_path, experiment())
    workdir.claim(tmp_path, experiment(num_steps=99, data_dir="/else", log_every=1))
    assert json.loads((tmp_path / "config.json").read_text())["num_steps"] == 99


def test_another_config_is_refused_with_the_differences(tmp_path):
    workdir.claim(tmp_path, experiment())
    before = (tmp_path / "config.json").read_text()
    other = experiment(seed=1)
    other.learner.optimizer.momentum = 0.5
    with pytest.raises(ValueError) as caught:
        workdir.claim(tmp_path, other)
    message = str(caught.value)
    assert "seed: 0 -> 1" in message
    assert "learner.optimizer.momentum: 0.9 -> 0.5" in message
    assert "another --workdir" in message
    assert (tmp_path / "config.json").read_text() == before


def test_a_folder_without_a_run_cannot_be_evaluated(tmp_path):
    with pytest.raises(ValueError, match="holds no run"):
        workdir.check(tmp_path, experiment())


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for impossible in (file / "run", pathlib.Path("/proc/jaxpose/run")):
        with pytest.raises(OSError, match="cannot be written .*folder of your own"):
            workdir.claim(impossible, experiment())
