"""Pose proposal networks on drawn people, that two CPU cores can train without a download.

The pictures and batches of `associative_figures`. A grid of 14 x 14 cells of 16 pixels, by
the last two stages of a small ResNet. Heads are measured by their boxes. Three rounds, each
on two devices (XLA_FLAGS=--xla_force_host_platform_device_count=2). First at 192 px, by
squared errors, from the trunk of the first round of `associative_figures`:

    python main.py --config configs/proposal_figures.py --config.data.size="(192,192)" \\
        --config.num_steps=18_000 --config.eval_every=3000 \\
        --config.learner.optimizer.learning_rate.peak=2e-3 \\
        --config.learner.objective.position=5.0 \\
        --config.learner.objective.position_error=squared \\
        --config.learner.pretrained.workdir=runs/associative_figures_192 \\
        --config.learner.pretrained.layers="('trunk/',)" --workdir runs/proposal_figures_192

Then from that network on:

    python main.py --config configs/proposal_figures.py \\
        --config.learner.pretrained.workdir=runs/proposal_figures_192

And a last round at a lower rate:

    python main.py --config configs/proposal_figures.py --config.num_steps=2000 \\
        --config.eval_every=2000 --config.learner.optimizer.learning_rate.peak=7e-4 \\
        --config.learner.pretrained.workdir=runs/proposal_figures \\
        --workdir runs/proposal_figures_third

mAP 50.0 on the 500 test pictures after two hours, an hour and a half and 20 minutes, on two
cores that small tests shared in part, with the large pages that `doctor` advises; 49.6
without the last. Without any `workdir` all begins fresh, which was not measured.
"""

import itertools

from ml_collections import ConfigDict, config_dict

from data_builders.figures import figures_dataset_builder
from jaxpose import augment, checkpoint, evaluate, lengths, records, regions, scenes
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco, coco_errors, multiperson
from jaxpose.models import proposal, resnet
from jaxpose.objectives import proposal_parsing, proposal_parts, proposals
from jaxpose.skeletons import COCO
from jaxpose.weights import run

# Of the ways to read outputs, that of the eval `test`.
MAIN = {"score": "sed", "confidence": "response x iou", "matching": "greedy"}


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((224, 224))
    config.seed = 0
    config.batch_size = 16
    config.num_steps = 10_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 50
    config.eval_every = 2500

    # As `associative_figures`, so that they are drawn once.
    drawn = spec(
        figures_dataset_builder.own,
        recipe=figures_dataset_builder.MULTI.recipe,
        pictures={"train": 24_000, "test": 500},
    )

    def pictures(split: str, people: int) -> ConfigDict:
        source = spec(
            records.Split,
            builder=figures_dataset_builder.Builder,
            config=drawn,
            split=split,
            region=spec(regions.WholeImage),
        )
        return spec(
            scenes.Scenes,
            sources=(source,),
            skeleton=COCO,
            size=size,
            length=spec(lengths.Head),
            people=people,
        )

    config.data = pictures("train", 8)
    # Twenty passes in all, over pictures that are all different, need little more.
    config.augment = spec(
        augment.Augment, skeleton=COCO, flip=0.5, scale=0.1, rotation=10.0
    )

    def read_by(**fields: str) -> ConfigDict:
        """What the outputs mean, with fields of the way that people are found."""
        parsing = spec(
            proposal_parsing.Parsing,
            parts=proposal_parts.COCO,
            # Low, since responses x IoU are low: precision counts the surest first.
            threshold=0.005,
            limb_threshold=0.02,
            keypoint_score="confidence x person",
            # People stand before each other: 0.3 would leave out whoever is behind.
            overlap=0.5,
            **fields,
        )
        return spec(
            proposals.Proposals,
            size=size,
            parts=proposal_parts.COCO,
            stride=16,
            decoder=parsing,
            # Squared, hidden keypoints would outweigh those in sight. Twice the sign of an
            # error pulls as 5 times its square does at a fifth of a cell.
            position_error="absolute",
            position=2.0,
        )

    config.learner = spec(
        supervised.Supervised,
        model=spec(
            proposal.Proposal,
            num_parts=len(proposal_parts.COCO),
            num_limbs=len(proposal_parts.COCO.limbs),
            trunk=spec(
                resnet.ResNet,
                blocks=(1, 1, 2, 2),
                bottleneck=False,
                features=(32, 64, 128, 256),
            ),
            levels=2,
            features=256,
        ),
        objective=read_by(**MAIN),
        pretrained=spec(run.Run, workdir="", layers=()),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.warmup_cosine,
                peak=1e-3,
                warmup_steps=200,
                num_steps=config.get_ref("num_steps"),
            ),
            weight_decay=1e-3,
        ),
    )
    config.evals = {
        "test": spec(
            evaluate.Eval,
            data=pictures("test", 30),
            metrics=(
                spec(multiperson.MeanAP),
                spec(coco.AP),
                spec(coco_errors.Errors),
            ),
            mirror=True,
        )
    }
    # The same outputs, read in every way: the question that the original left open.
    for way in itertools.product(
        proposal_parsing.SCORES,
        proposal_parsing.CONFIDENCES,
        proposal_parsing.MATCHINGS,
    ):
        fields = dict(zip(MAIN, way, strict=True))
        if fields == MAIN:
            continue
        config.evals["_".join(way).replace(" x ", "_x_")] = spec(
            evaluate.Eval,
            data=pictures("test", 30),
            metrics=(spec(multiperson.MeanAP), spec(coco.AP)),
            mirror=True,
            watch=False,
            objective=read_by(**fields),
        )
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=250, keep=2, best="test/mAP@0.5"
    )
    return config
