import jax
import numpy as np
import people
from ml_collections import ConfigDict

from jaxpose import config, devices, evaluate, train


def evaluator(root, *, batch_size, mesh=None, mirror=True):
    fields = ConfigDict(people.fields(root))
    fields.evals.test.mirror = mirror
    built = config.build(fields)
    mesh = mesh or devices.mesh()
    (made,) = evaluate.open_evals(
        built["evals"],
        built["learner"],
        mesh,
        batch_size=batch_size,
        data_dir=built["data_dir"],
        manual_dir=built["manual_dir"],
    ).values()
    batch = made.examples.load(np.array([0]))
    state = train.init_state(built["learner"], batch, 0)
    return made, jax.device_put(state, devices.replicated(mesh))


def test_every_person_is_scored_once_whatever_the_batch(lspet):
    root, truth = lspet
    results = []
    for batch_size in (8, 16):  # 16 leaves a padded batch.
        made, state = evaluator(root, batch_size=batch_size)
        results.append(made.run(state))
    a, b = results
    assert a.poses.keypoints.shape == (people.PEOPLE, 1, 14, 2)
    np.testing.assert_allclose(a.poses.keypoints, b.poses.keypoints, atol=1e-3)
    np.testing.assert_allclose(a.annotations.keypoints[:, 0], truth, atol=1e-5)
    assert a.headline("test").keys() == {"test/PCK@0.2", "test/MSE"} == made.measures()


def test_an_untrained_regressor_guesses_the_middle_of_the_photograph(lspet):
    """Poses come back in pixels of the photograph, not of the canvas."""
    made, state = evaluator(lspet[0], batch_size=8)
    result = made.run(state)
    middle = (result.annotations.size[:, ::-1] - 1) / 2
    away = np.abs(result.poses.keypoints[:, 0] - middle[:, None])
    assert (away < 0.35 * result.annotations.size[:, None, ::-1]).all()
    assert np.ptp(result.poses.keypoints[..., 0]) > 5


def test_pictures_show_the_same_people_every_time(lspet):
    made, state = evaluator(lspet[0], batch_size=8)
    result = made.run(state)
    sheet = made.picture(result)
    assert sheet.dtype == np.uint8 and sheet.shape[0] > 3 * 320
    np.testing.assert_array_equal(sheet, made.picture(result))
