"""Joint angles: limits, mirror images, and a density that is the true one."""

import numpy as np
import pytest
from scipy import special, stats

from data_builders.figures import bodies, poses

LOW, HIGH = np.array(list(poses.LIMITS.values())).T


@pytest.fixture(scope="module")
def drawn():
    return poses.sample(np.random.default_rng(0), 4000)


def test_joints_keep_their_limits(drawn):
    angles, _ = drawn
    assert (angles >= LOW).all()
    assert (angles <= HIGH).all()
    # The limits cut: some knees and elbows are fully straight within half a degree.
    knees = angles[:, poses.ANGLES.index("left_knee_bend")]
    assert (knees < 0.5).sum() > 20


def test_activities_come_in_their_shares(drawn):
    _, activity = drawn
    shares = np.bincount(activity) / len(activity)
    expected = [a.share for a in poses.ACTIVITIES]
    assert sum(expected) == pytest.approx(1)
    np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / 4000))


def test_density_is_that_of_the_slow_obvious_mixture(drawn):
    angles = drawn[0][:5]
    expected = []
    for row in angles:
        parts = []
        for component in range(len(poses.MIXTURE.share)):
            mean = poses.MIXTURE.mean[component]
            deviation = poses.MIXTURE.deviation[component]
            log = stats.truncnorm.logpdf(
                row,
                (LOW - mean) / deviation,
                (HIGH - mean) / deviation,
                mean,
                deviation,
            )
            parts.append(np.log(poses.MIXTURE.share[component]) + log.sum())
        expected.append(special.logsumexp(parts))
    np.testing.assert_allclose(poses.log_density(angles), expected, rtol=1e-9)


def test_beyond_a_limit_nobody_is():
    angles = np.zeros((1, len(poses.ANGLES)))
    assert np.isfinite(poses.log_density(angles))
    angles[0, poses.ANGLES.index("left_knee_bend")] = -1
    assert poses.log_density(angles) == -np.inf


@pytest.mark.parametrize("name", ["roll", "yaw", "left_elbow_bend", "right_hip_raise"])
def test_samples_follow_the_density(drawn, name):
    """Kolmogorov and Smirnov's distance to the mixture's marginal distribution."""
    k = poses.ANGLES.index(name)
    mixture = poses.MIXTURE
    low, high = mixture.low[:, k], mixture.high[:, k]

    def cumulative(x):
        z = (x[:, None] - mixture.mean[:, k]) / mixture.deviation[:, k]
        below = np.clip((special.ndtr(z) - low) / (high - low), 0, 1)
        return (mixture.share * below).sum(-1)

    assert stats.kstest(drawn[0][:, k], cumulative).pvalue > 0.01


def test_a_mirrored_pose_is_as_likely(drawn):
    angles = drawn[0][:50]
    there = poses.mirror(angles)
    np.testing.assert_allclose(poses.log_density(there), poses.log_density(angles))
    np.testing.assert_array_equal(poses.mirror(there), angles)


def test_a_mirrored_pose_is_a_mirrored_body(drawn):
    shape = bodies.proportions(np.random.default_rng(1))
    body = bodies.pose(shape, drawn[0][7])
    mirrored = bodies.pose(shape, poses.mirror(drawn[0][7]))
    swap = {"left": "right", "right": "left"}
    for name, place in body.joints.items():
        side, _, rest = name.partition("_")
        other = f"{swap[side]}_{rest}" if side in swap else name
        np.testing.assert_allclose(
            mirrored.joints[other], place * [-1, 1, 1], atol=1e-12, err_msg=name
        )


def test_bones_keep_their_lengths(drawn):
    shape = bodies.proportions(np.random.default_rng(2))
    bones = {
        "upper_arm": ("shoulder", "elbow"),
        "forearm": ("elbow", "wrist"),
        "thigh": ("hip", "knee"),
        "shank": ("knee", "ankle"),
    }
    for angles in drawn[0][:20]:
        joints = bodies.pose(shape, angles).joints
        for bone, (first, last) in bones.items():
            for side in ("left", "right"):
                length = np.linalg.norm(
                    joints[f"{side}_{first}"] - joints[f"{side}_{last}"]
                )
                assert length == pytest.approx(shape.length[bone])


def stand(**angles: float) -> dict[str, np.ndarray]:
    """Joints of a person who stands upright but for some angles."""
    row = np.array([angles.get(name, 0.0) for name in poses.ANGLES])
    return bodies.pose(bodies.proportions(np.random.default_rng(3)), row).joints


def test_upright_facing_the_viewer_the_left_is_at_the_right():
    joints = stand()
    assert joints["left_shoulder"][0] > 0 > joints["right_shoulder"][0]
    assert joints["head_top"][1] > joints["left_hip"][1] > joints["left_ankle"][1]
    assert joints["left_toes"][2] > joints["left_ankle"][2]


@pytest.mark.parametrize(
    "angles, joint, axis, sign",
    [
        ({"left_shoulder_raise": 90}, "left_wrist", 2, 1),
        ({"left_shoulder_spread": 90}, "left_wrist", 0, 1),
        ({"right_shoulder_spread": 90}, "right_wrist", 0, -1),
        ({"left_elbow_bend": 90}, "left_wrist", 2, 1),
        ({"left_hip_raise": 90}, "left_knee", 2, 1),
        ({"left_knee_bend": 90}, "left_ankle", 2, -1),
        ({"spine_bend": 60}, "head_top", 2, 1),
        ({"spine_lean": 30}, "head_top", 0, 1),
        ({"head_tilt": 30}, "head_top", 0, 1),
    ],
)
def test_angles_turn_the_way_their_names_say(angles, joint, axis, sign):
    moved = stand(**angles)[joint] - stand()[joint]
    assert sign * moved[axis] > 0.02


def test_a_turn_to_the_left_brings_the_right_shoulder_forward():
    joints = stand(yaw=90)
    assert joints["right_shoulder"][2] > 0.05 > joints["left_shoulder"][2]
