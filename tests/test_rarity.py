"""Rarity weights against the original, a slow loop, and what they promise."""

import pathlib

import numpy as np
import pytest

from jaxpose import rarity
from jaxpose.types import Annotations

REFERENCE = pathlib.Path(__file__).parents[2] / "shared" / "reference"
needs_reference = pytest.mark.skipif(
    not REFERENCE.exists(), reason=f"{REFERENCE} holds the original's numbers"
)


def people(n=120, k=6, seed=0):
    """Random people: a few joint directions of variation plus noise."""
    random = np.random.default_rng(seed)
    size = random.integers(100, 300, (n, 2))
    basis = random.normal(size=(4, k, 2)) * 0.08
    relative = 0.5 + np.einsum("na,akc->nkc", random.normal(size=(n, 4)), basis)
    relative += random.normal(size=(n, k, 2)) * 0.01
    return relative * size[:, None, ::-1], np.full((n, k), 2), size


@needs_reference
@pytest.mark.parametrize("bandwidth", ["0.6", "0.2", "50"])
def test_original_weights_of_9000_people(bandwidth):
    """Recorded from the original, whose PCA was randomized: hence 5e-4."""
    data = np.load(REFERENCE / "deeppose_wl_dataset.npz")
    lspet = data["in_lspet_xy_hundredths"].transpose(2, 0, 1)
    lsp = data["in_lsp_xy_hundredths"].transpose(2, 1, 0)
    keypoints = np.concatenate([lspet, lsp])[data["order"]][:9000] / 100 - 0.5
    size = data["in_sizes"][data["order"]][:9000, ::-1]
    computed = rarity.original(bandwidth=float(bandwidth))(
        keypoints, np.full((9000, 14), 2), size
    )
    expected = data[f"weight_bw{bandwidth}"]
    np.testing.assert_allclose(computed, expected, rtol=5e-4)


@needs_reference
@pytest.mark.parametrize("components", [5, 10])
@pytest.mark.parametrize("bandwidth", ["0.2", "0.6", "50"])
def test_density_of_scikit_learn_0_19(components, bandwidth):
    data = np.load(REFERENCE / "deeppose_wl_kde_small.npz")
    density = rarity.kernel_log_density(
        data["X"], data["X"], components=components, bandwidth=float(bandwidth)
    )
    name = f"pca{components}_exponential_bw{bandwidth}"
    np.testing.assert_allclose(density, data[f"logp_{name}"], rtol=1e-9)
    np.testing.assert_allclose(
        rarity.weights(density, None), data[f"w_{name}"], rtol=1e-6
    )


def test_original_is_a_slow_loop():
    keypoints, visibility, size = people(n=30)
    keypoints[3, 2, 0] = -20  # only x is outside: y stays
    keypoints[4, 1] = 1e5
    visibility[5, 0] = 0
    rows = []
    for person in range(30):
        row = []
        for joint in range(6):
            for axis in range(2):
                u = (keypoints[person, joint, axis] + 0.5) / size[person, 1 - axis]
                outside = u < 0 or u >= 1 or visibility[person, joint] == 0
                row.append(0.0 if outside else u)
        rows.append(row)
    centred = np.array(rows) - np.mean(rows, axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :10]
    z = centred @ axes
    density = [sum(np.exp(-np.linalg.norm(a - b) / 0.6) for b in z) for a in z]
    computed = rarity.original()(keypoints, visibility, size)
    np.testing.assert_allclose(computed, np.median(density) / density, rtol=1e-5)


@pytest.mark.parametrize("bandwidth", [0.01, 0.1, 0.6])
@pytest.mark.parametrize("bounds", [(0.5, 2.0), (0.9, 1.05), (0.01, 50.0)])
def test_bounds_and_mean_hold_together(bandwidth, bounds):
    weigh = rarity.Rarity(bandwidth=bandwidth, bounds=bounds)
    weights = weigh(*people())
    assert weights.dtype == np.float32
    assert weights.min() >= bounds[0] - 1e-6
    assert weights.max() <= bounds[1] + 1e-6
    assert weights.mean() == pytest.approx(1, abs=1e-6)


def test_rarer_weighs_more_in_log_space():
    """Densities far below the smallest float still give ordered, finite weights."""
    density = np.array([0.0, -0.1, -0.2, -1e6, np.nan])
    weights = rarity.weights(density, (0.1, 3.0))
    assert weights[0] < weights[1] < weights[2] < weights[3] == 3.0
    assert weights[4] == 1
    assert weights.mean() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(
        rarity.weights(np.array([-2000.0, -2001.0, -2001.5]), None),
        np.exp([-1, 0, 0.5]),
        rtol=1e-5,
    )


def test_far_query_is_finite():
    fitted = np.random.default_rng(0).normal(size=(50, 4))
    far = np.full((1, 4), 1e6)
    density = rarity.kernel_log_density(fitted, far, components=4, bandwidth=0.6)
    assert density[0] == pytest.approx(-2e6 / 0.6, rel=1e-3)


def test_a_strange_pose_is_rare():
    keypoints, visibility, size = people()
    keypoints[7, :, 1] = size[7, 0] - keypoints[7, :, 1]  # upside down
    weights = rarity.Rarity(bandwidth=0.2, bounds=(0.1, 10.0))(
        keypoints, visibility, size
    )
    assert weights[7] > np.percentile(weights, 80)


def test_place_and_scale_do_not_matter():
    keypoints, visibility, size = people()
    weigh = rarity.Rarity(bandwidth=0.2)
    moved = keypoints.copy()
    moved[::2] = moved[::2] * 0.5 + 30
    np.testing.assert_allclose(
        weigh(keypoints, visibility, size), weigh(moved, visibility, size), rtol=1e-5
    )


def test_missing_keypoints_hardly_move_a_weight():
    keypoints, visibility, size = people(n=400, k=8)
    hidden = visibility.copy()
    lost = np.random.default_rng(1).integers(0, 8, (100, 2))
    hidden[np.arange(100)[:, None], lost] = 0
    junk = np.where(hidden[..., None] > 0, keypoints, -1000)

    def shift(weigh):
        before, after = weigh(keypoints, visibility, size), weigh(junk, hidden, size)
        return np.log(after / before)[:100], np.log(before)

    change, spread = shift(rarity.Rarity(bandwidth=0.3))
    assert abs(change.mean()) < 0.1 * spread.std()
    assert change.std() < 0.5 * spread.std()
    change, spread = shift(rarity.original())  # what this guards against
    assert change.mean() > spread.std()


@pytest.mark.parametrize("weigh", [rarity.Rarity(), rarity.original()])
def test_order_of_people_does_not_matter(weigh):
    keypoints, visibility, size = people()
    visibility[::5, 2] = 0
    order = np.random.default_rng(2).permutation(len(keypoints))
    np.testing.assert_allclose(
        weigh(keypoints[order], visibility[order], size[order]),
        weigh(keypoints, visibility, size)[order],
        rtol=1e-5,
    )


def test_people_without_labels_weigh_one():
    keypoints, visibility, size = people()
    visibility[[0, 5]] = 0
    keypoints[[0, 5]] = np.nan
    weights = rarity.Rarity(bandwidth=0.2)(keypoints, visibility, size)
    assert weights[0] == weights[5] == 1
    without = np.delete(np.arange(len(keypoints)), [0, 5])
    alone = rarity.Rarity(bandwidth=0.2)(
        keypoints[without], visibility[without], size[without]
    )
    np.testing.assert_allclose(weights[without], alone, rtol=1e-5)
    weights = rarity.original()(keypoints, visibility, size)
    alone = rarity.original()(keypoints[without], visibility[without], size[without])
    assert weights[0] == 1
    np.testing.assert_allclose(weights[without], alone, rtol=1e-5)


def test_a_keypoint_nobody_has_and_coinciding_keypoints():
    keypoints, visibility, size = people(k=8)
    visibility[:, 3] = 0
    keypoints[9] = keypoints[9, :1]
    weights = rarity.Rarity()(keypoints, visibility, size)
    assert np.isfinite(weights).all()
    assert weights.std() > 0


def annotations(keypoints, visibility, size, people_each):
    return Annotations(
        keypoints=keypoints.reshape(-1, people_each, *keypoints.shape[1:]),
        visibility=visibility.reshape(-1, people_each, visibility.shape[1]),
        size=size[::people_each],
    )


def test_density_of_other_poses():
    """Queried training poses get back the densities behind their weights."""
    keypoints, visibility, size = people()
    size[1::2] = size[::2]  # two people in each photograph
    visibility[4] = 0
    train = annotations(keypoints, visibility, size, 2)
    weigh = rarity.Rarity(bounds=None)
    density = weigh.log_density(train, train)
    assert density.shape == (60, 2)
    assert np.isnan(density[2, 0]) and np.isnan(density).sum() == 1
    np.testing.assert_allclose(
        weigh(keypoints, visibility, size),
        rarity.weights(density.ravel(), None),
        rtol=1e-5,
    )
    keypoints, visibility, size = people(seed=9, n=10)
    other = annotations(keypoints, visibility, size, 1)
    together = weigh.log_density(train, other)
    single = [
        weigh.log_density(
            train,
            Annotations(
                keypoints=other.keypoints[i : i + 1],
                visibility=other.visibility[i : i + 1],
                size=other.size[i : i + 1],
            ),
        )[0]
        for i in (0, 7)
    ]
    np.testing.assert_allclose(together[[0, 7]], single, rtol=1e-9)


def test_messages():
    keypoints, visibility, size = people()
    with pytest.raises(ValueError, match="components=10 of 9 poses"):
        rarity.Rarity()(keypoints[:9], visibility[:9], size[:9])
    with pytest.raises(ValueError, match="20 training poses without"):
        rarity.Rarity()(keypoints[:20], visibility[:20] * 0, size[:20])
    bad = keypoints.copy()
    bad[17, 2, 0] = np.inf
    with pytest.raises(ValueError, match="record 17"):
        rarity.Rarity()(bad, visibility, size)
    empty = size.copy()
    empty[8, 1] = 0
    with pytest.raises(ValueError, match="record 8 .* positive"):
        rarity.Rarity()(keypoints, visibility, empty)
    sizeless = Annotations(keypoints=keypoints[:, None], visibility=visibility[:, None])
    with pytest.raises(ValueError, match="size=None"):
        rarity.Rarity().log_density(sizeless, sizeless)
    with pytest.raises(ValueError, match="bounds"):
        rarity.Rarity(bounds=(1.2, 3.0))
    with pytest.raises(ValueError, match="bandwidth=0"):
        rarity.Rarity(bandwidth=0.0)
