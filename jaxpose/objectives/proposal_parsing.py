"""From proposals of parts and limbs to people, in one program of fixed shapes."""

import dataclasses
import math
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxpose.objectives import proposal_matching, proposal_parts
from jaxpose.objectives.proposal_maps import ProposalMaps
from jaxpose.objectives.proposal_matching import Chosen
from jaxpose.types import Poses

MATCHINGS = {
    "greedy": proposal_matching.greedy,
    "optimal": proposal_matching.optimal,
}
SCORES = ("ded", "sed")
CONFIDENCES = ("response", "response x iou")
KEYPOINT_SCORES = ("confidence", "confidence x person")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parsing:
    """Proposals of every part, thinned out, and joined from the root of the tree.

    A proposal is a cell whose confidence D in a part reaches a threshold. Those that a
    surer proposal of the part overlaps are left out. Two ends of a limb are joined by
    the affinity E that the network gives their cells, one to one. A person is an
    instance, a proposal of the root, with everything that a chain of limbs joins to it.

    Attributes:
        parts: and limbs, as the network was trained for.
        people: at most as many are found, and as many proposals of a part kept, the
            surest.
        threshold: proposals have this confidence or more.
        overlap: of a proposal's box with a surer one's, intersection over union, from
            which it is left out.
        limb_threshold: affinities above it join proposals.
        confidence: D, in a part: its response, or that times the predicted IoU of its
            box, as in the paper. The original leaves the IoU out, because it was too
            high for bad boxes.
        score: of two proposals. `ded` is D x E x D. `sed` is S x E x D, where S is the
            D of an instance, and for other parts the score of the connection toward the
            root, 0 without one: limbs are matched outward, and a connection is as sure
            as the whole chain to its person.
        matching: the highest score first, or the highest total.
        keypoint_score: of a found keypoint: the confidence of its part, as in the
            original, or that times the score of its person, for metrics that rank
            keypoints, such as `multiperson.MeanAP`.
        regressed_stride: pixels of a cell; affinities are read at the cell in which a
            proposal's regressed centre / stride lies, as in the original, which loses
            limbs where that is another cell. 0 reads them at the proposal's own cell.
        drop_low_iou: leave out proposals whose predicted IoU is 0 or less, as the
            original does, which marks what survives there.
        roots_at_first_limb: people are the connections of limb 0, as in the original,
            where that is from head top to instance: who has no head top is lost.

    Raises: ValueError if a field is out of range.

    Source: Sekii, "Pose Proposal Networks", 2018, as
    wangziren1/pytorch_pose_proposal_networks parses; `sed` is a reconstruction.
    """

    parts: proposal_parts.Parts = proposal_parts.MPII
    people: int = 30
    threshold: float = 0.1
    overlap: float = 0.3
    limb_threshold: float = 0.1
    confidence: Literal["response", "response x iou"] = "response"
    score: Literal["ded", "sed"] = "ded"
    matching: Literal["greedy", "optimal"] = "greedy"
    keypoint_score: Literal["confidence", "confidence x person"] = "confidence"
    regressed_stride: int = 0
    drop_low_iou: bool = False
    roots_at_first_limb: bool = False

    def __post_init__(self) -> None:
        if self.people < 1:
            raise ValueError(f"people={self.people} must be 1 or more, such as 30")
        for name in ("threshold", "limb_threshold"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name}={value} must be 0 or positive, such as 0.1")
        if not 0 < self.overlap <= 1:
            raise ValueError(
                f"overlap={self.overlap} must be an intersection over union in 0..1, "
                "such as 0.3"
            )
        if self.regressed_stride < 0:
            raise ValueError(
                f"regressed_stride={self.regressed_stride} must be pixels of a cell, "
                "such as 32, or 0 for the proposal's own cell"
            )
        for name, known in (
            ("confidence", CONFIDENCES),
            ("score", SCORES),
            ("matching", tuple(MATCHINGS)),
            ("keypoint_score", KEYPOINT_SCORES),
        ):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is not one of {known}"
                )

    def __call__(self, maps: ProposalMaps) -> Poses:
        """Centres of parts, their scores, and those of people; the surest root first.

        Keypoints are those of the data's skeleton, in pixels of the canvas. One that is
        no part by itself, such as MPII's pelvis, is nan and has the score 0, and so has
        what was not found. The score of a person is the mean confidence over all parts.
        Who has no keypoint is nobody, and all nan.

        Raises: ValueError if the maps are of other parts or limbs.
        """
        parts, limbs = maps.response.shape[-1], maps.limbs.shape[-1]
        expected = len(self.parts), len(self.parts.limbs)
        if (parts, limbs) != expected:
            raise ValueError(
                f"maps of {parts} parts and {limbs} limbs, but {self.parts.name} has "
                f"{expected}; give the parts that the network was trained for"
            )
        return self._parse(maps)

    def _parse(self, maps: ProposalMaps) -> Poses:
        confidence = maps.response
        if self.confidence == "response x iou":
            confidence = confidence * maps.iou
        # Also no proposal: what is not a number.
        proposed = confidence >= self.threshold
        if self.drop_low_iou:
            proposed &= maps.iou != 0
        b, *_, k = confidence.shape
        by_part = jnp.where(proposed, confidence, -jnp.inf).reshape(b, -1, k).mT
        box = jnp.transpose(maps.box.reshape(b, -1, k, 4), (3, 0, 2, 1))
        chosen = proposal_matching.suppress(
            by_part, box, count=self.people, overlap=self.overlap
        )
        if self.drop_low_iou:
            iou = jnp.take_along_axis(
                maps.iou.reshape(b, -1, k).mT, chosen.cell, axis=2
            )
            chosen = chosen._replace(there=chosen.there & (iou > 0))
        center = jnp.take_along_axis(box[:2], chosen.cell[None], axis=3)
        affinity = jax.vmap(self._affinity, (0, 0, 1))(maps.limbs, chosen, center)
        member = jax.vmap(self._members)(*self._connected(chosen, affinity))
        return jax.vmap(self._poses, (0, 1, 0))(chosen, center, member)

    def _affinity(
        self,
        limbs: Float[Array, "i j wi wj l"],
        chosen: Chosen,
        center: Float[Array, "2 k n"],
    ) -> Float[Array, "l n n"]:
        """One image. Of each limb, of starts by ends; 0 for what cannot be joined."""
        height, width, *window, _ = limbs.shape
        row, column = chosen.cell // width, chosen.cell % width
        if self.regressed_stride:
            column, row = jnp.floor(center / self.regressed_stride).astype(int)
        starts, ends = self._ends()
        on_grid = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        joined = (chosen.there & on_grid)[starts, :, None] & chosen.there[ends, None]
        for at, sides in zip((row, column), window, strict=True):
            offset = at[ends, None] - at[starts, :, None] + sides // 2
            joined &= (offset >= 0) & (offset < sides)
        # A cell has its window, and a limb its own place in that: a share of each end.
        from_start = (window[0] // 2 - row) * window[1] + window[1] // 2 - column
        from_start = from_start[starts] * len(starts) + jnp.arange(len(starts))[:, None]
        from_end = (row * window[1] + column)[ends] * len(starts)
        place = jnp.where(joined, from_start[..., None] + from_end[:, None], 0)
        cell = jnp.where(on_grid, row * width + column, 0)[starts, :, None]
        by_cell = limbs.reshape(height * width, -1)
        found = by_cell.at[cell, place].get(mode="promise_in_bounds")
        return jnp.where(joined & (found > self.limb_threshold), found, 0)

    def _ends(self) -> tuple[Int[Array, "l"], Int[Array, "l"]]:
        """Parts that limbs start at, and those that they end at."""
        starts, ends = jnp.array(self.parts.limbs).reshape(-1, 2).T
        return starts, ends

    def _connected(
        self, chosen: Chosen, affinity: Float[Array, "b l n n"]
    ) -> tuple[Int[Array, "b l n"], Float[Array, "b l n"]]:
        """Of each limb, and each proposal of its end, the start and the score; -1 and 0."""
        starts, ends = self._ends()
        match = MATCHINGS[self.matching]
        number = jnp.arange(self.people)
        strength = chosen.score
        found = jnp.full(affinity.shape[:3], -1)
        scores = jnp.zeros_like(affinity[:, :, 0])
        for group in self._rings() if self.score == "sed" else [[*range(len(starts))]]:
            limbs = jnp.array(group)
            first, last = starts[limbs], ends[limbs]
            score = strength[:, last, None] * affinity[:, limbs]
            score *= chosen.score[:, first, :, None]
            start = match(score)
            made = jnp.where(start[..., None, :] == number[:, None], score, 0)
            found = found.at[:, limbs].set(start)
            scores = scores.at[:, limbs].set(made.max(axis=2))
            strength = strength.at[:, first].set(made.max(axis=3))
        return found, scores

    def _rings(self) -> list[list[int]]:
        """Limbs by their distance from the root, the nearest first."""
        reached, rings = {self.parts.root}, []
        left = [*range(len(self.parts.limbs))]
        while left:
            ring = [limb for limb in left if self.parts.limbs[limb][1] in reached]
            reached |= {self.parts.limbs[limb][0] for limb in ring}
            left = [limb for limb in left if limb not in ring]
            rings.append(ring)
        return rings

    def _members(
        self, start: Int[Array, "l n"], score: Float[Array, "l n"]
    ) -> Int[Array, "k p"]:
        """Of each part the proposal that belongs to each person, -1 for none."""
        root = jnp.arange(self.people)
        if self.roots_at_first_limb:
            # Of the instances that limb 0 ends at, that with the highest score first.
            surest = jnp.argsort(-score[0])
            root = jnp.where(score[0][surest] > 0, surest, -1)
        member = jnp.full((len(self.parts), self.people), -1)
        member = member.at[self.parts.root].set(root)
        starts, ends = self._ends()
        for ring in map(jnp.array, self._rings()):
            inner = member[ends[ring]]
            outer = jnp.take_along_axis(start[ring], inner, axis=1)
            member = member.at[starts[ring]].set(jnp.where(inner >= 0, outer, -1))
        return member

    def _poses(
        self, chosen: Chosen, center: Float[Array, "2 k n"], member: Int[Array, "k p"]
    ) -> Poses:
        """One image."""
        there = (member >= 0) & jnp.take_along_axis(chosen.there, member, axis=1)
        scores = jnp.take_along_axis(chosen.score, member, axis=1)
        scores = jnp.where(there, scores, 0).T
        points = jnp.take_along_axis(center, member[None], axis=2)
        part = jnp.array(self.parts.part_of)
        known = (part >= 0) & there[part].T
        person = scores.mean(axis=-1)
        of_keypoint = scores[:, part]
        if self.keypoint_score == "confidence x person":
            of_keypoint *= person[:, None]
        return Poses(
            keypoints=jnp.where(known, points[:, part].mT, jnp.nan).transpose(1, 2, 0),
            scores=jnp.where(known, of_keypoint, 0),
            person_scores=jnp.where(known.any(axis=-1), person, 0),
        )
