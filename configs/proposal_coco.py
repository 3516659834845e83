"""Pose proposal networks on COCO: whole photographs, with everybody on them.

    python main.py --config configs/proposal_coco.py

The paper and the original have only MPII. Here a person is the box of the labeled
keypoints, and heads, which COCO does not measure, are told from nose, eyes and ears.
Limbs end up to five cells away, since people fill the canvas. COCO was not at hand in
full: this config is tested through shapes only.

Source: Sekii 2018; canvases and augmentation as in `associative_coco`.
"""

import optax
from ml_collections import ConfigDict, config_dict

from data_builders.coco_keypoints import coco_keypoints_dataset_builder
from jaxpose import (
    augment,
    checkpoint,
    evaluate,
    lengths,
    photometric,
    records,
    regions,
    scenes,
)
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco as coco_metrics
from jaxpose.metrics import coco_errors, multiperson
from jaxpose.models import imagenet, proposal, resnet
from jaxpose.objectives import proposal_parsing, proposal_parts, proposals
from jaxpose.skeletons import COCO
from jaxpose.weights import resnet as resnet_weights


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((512, 512))
    window = config_dict.FieldReference((11, 11))
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 260_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 10_000

    def photographs(split: str) -> ConfigDict:
        source = spec(
            records.Split,
            builder=coco_keypoints_dataset_builder.Builder,
            split=split,
            region=spec(regions.WholeImage),
            config="2017",
        )
        return spec(
            scenes.Scenes,
            sources=(source,),
            skeleton=COCO,
            size=size,
            length=spec(lengths.Head),
        )

    config.data = photographs("train")
    config.augment = spec(
        augment.Augment,
        skeleton=COCO,
        flip=0.5,
        scale=0.25,
        rotation=30.0,
        shift=0.2,
        color=spec(
            photometric.Photometric,
            hue=0.2,
            saturation=0.5,
            brightness=0.3,
            contrast=0.5,
        ),
    )
    config.learner = spec(
        supervised.Supervised,
        model=spec(
            proposal.Proposal,
            num_parts=len(proposal_parts.COCO),
            num_limbs=len(proposal_parts.COCO.limbs),
            trunk=spec(
                resnet.resnet,
                layers=50,
                mean=imagenet.MEAN,
                std=imagenet.STD,
                dtype="float32",
            ),
            window=window,
        ),
        objective=spec(
            proposals.Proposals,
            size=size,
            parts=proposal_parts.COCO,
            window=window,
            decoder=spec(proposal_parsing.Parsing, parts=proposal_parts.COCO),
        ),
        optimizer=spec(
            optimizers.sgd,
            learning_rate=spec(
                optax.linear_schedule,
                init_value=7e-3,
                end_value=0.0,
                transition_steps=config.get_ref("num_steps"),
            ),
            momentum=0.9,
            weight_decay=5e-4,
        ),
        # torchvision's resnet50 file, read without PyTorch; empty for a fresh trunk.
        pretrained=spec(resnet_weights.Trunk, path=""),
    )
    config.evals = {
        "validation": spec(
            evaluate.Eval,
            data=photographs("validation"),
            metrics=(
                spec(coco_metrics.AP),
                spec(coco_errors.Errors),
                spec(multiperson.MeanAP),
            ),
            mirror=True,
        )
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="validation/AP"
    )
    return config
