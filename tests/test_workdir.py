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
    (versions,) = json.loads((tmp_path / "run" / "versions.json").read_text())
    assert set(versions["packages"]) >= {"jax", "flax", "optax", "numpy"}
    assert len(versions["devices"]) == 8 and versions["processes"] == 1


def test_the_same_config_may_go_on_elsewhere_and_longer(tmp_path):
    first(tmp_path)
    workdir.claim(tmp_path, experiment(num_steps=99, data_dir="/else", log_every=1))
    assert len(json.loads((tmp_path / "versions.json").read_text())) == 2
    assert json.loads((tmp_path / "config.json").read_text())["num_steps"] == 99


def first(folder: pathlib.Path) -> None:
    """The first session of a run, which has left a checkpoint."""
    workdir.claim(folder, experiment()).close()
    (folder / "checkpoints" / "4").mkdir(parents=True)


def test_what_left_no_checkpoint_binds_nobody(tmp_path):
    workdir.claim(tmp_path, experiment(batch_size=7)).close()
    workdir.claim(tmp_path, experiment()).close()
    assert json.loads((tmp_path / "config.json").read_text())["batch_size"] == 8


def test_one_run_a_folder(tmp_path):
    lock = workdir.claim(tmp_path, experiment())
    with pytest.raises(OSError, match="another process trains in"):
        workdir.claim(tmp_path, experiment())
    lock.close()
    workdir.claim(tmp_path, experiment()).close()


def test_evaluation_may_use_another_batch_but_no_other_network(tmp_path):
    first(tmp_path)
    free = workdir.FREE_IN_EVALUATION
    workdir.check(tmp_path, experiment(batch_size=4, seed=3), free=free)
    other = experiment()
    other.learner.model.features = (8, 16)
    with pytest.raises(ValueError, match="learner.model.features"):
        workdir.check(tmp_path, other, free=free)


def test_evaluation_may_read_outputs_in_another_way(tmp_path):
    first(tmp_path)
    other = experiment()
    other.learner.objective.decoder = ConfigDict({"threshold": 0.3})
    workdir.check(tmp_path, other, free=workdir.FREE_IN_EVALUATION)
    with pytest.raises(ValueError, match="learner.objective.decoder"):
        workdir.check(tmp_path, other, free=workdir.FREE)


def test_another_config_is_refused_with_the_differences(tmp_path):
    first(tmp_path)
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
        workdir.check(tmp_path, experiment(), free=())


def test_a_folder_that_cannot_be_written_says_so(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for impossible in (file / "run", pathlib.Path("/proc/jaxpose/run")):
        with pytest.raises(OSError, match="cannot be written .*folder of your own"):
            workdir.claim(impossible, experiment())
