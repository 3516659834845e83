"""Pose proposal networks on MPII: crops around each person, with everybody in them.

    python main.py --config configs/proposal_mpii.py

ResNet-18; --config.learner.model.trunk.layers=50 is the other. Told are an average
precision on validation crops, each a picture of its own, and PCKh of the person in the
middle. The paper has 72.8 mAP on groups of the test set; the original in PyTorch measures
nothing. `proposals.Proposals` and `proposal_parsing.Parsing` have that one's ways as fields.
MPII was not at hand in full: this config is tested through shapes and on miniatures only.

Source: Sekii 2018, 260,000 steps of 22 examples, with a rate from 0.007 straight to 0. The
original takes 0.001; its scale is uniform in 0.7..1.1, which is log-uniform here.
"""

import optax
from ml_collections import ConfigDict, config_dict

from data_builders.mpii import mpii_dataset_builder
from jaxpose import (
    augment,
    checkpoint,
    data,
    evaluate,
    lengths,
    records,
    regions,
    scenes,
)
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import multiperson, pckh
from jaxpose.models import imagenet, proposal, resnet
from jaxpose.objectives import (
    central,
    proposal_parsing,
    proposal_parts,
    proposals,
)
from jaxpose.skeletons import MPII
from jaxpose.weights import resnet as resnet_weights

# Pixels of the canvas in a person's height, which the original draws from 0.7..1.1 times
# that; augmentation begins in the middle of it.
HEIGHT = 200
MIDDLE, SPREAD = (0.7 * 1.1) ** 0.5, (1.1 / 0.7) ** 0.5


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((384, 384))
    config.seed = 0
    config.batch_size = 22
    config.num_steps = 260_000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 100
    config.eval_every = 10_000

    def mpii(split: str, *, height: float) -> ConfigDict:
        return spec(
            records.Split,
            builder=mpii_dataset_builder.Builder,
            split=split,
            # About the annotated middle of the person, not below it.
            region=spec(regions.BodyScale, padding=384 / height, down=0.0),
            # `spec(mpii_dataset_builder.listed)` reads PyTorch-Pose's JSON file instead of
            # the release's; it has no head boxes, and PCKh needs head="stick" then.
            config=None,
        )

    def crops(source: ConfigDict) -> ConfigDict:
        return spec(
            scenes.Scenes,
            sources=(source,),
            skeleton=MPII,
            size=size,
            around="person",
            length=spec(lengths.Head),
            # The photograph goes on where training turns and shrinks a canvas.
            margin=1.5,
        )

    config.data = crops(mpii("train", height=HEIGHT * MIDDLE))
    config.augment = spec(
        augment.Augment,
        skeleton=MPII,
        flip=0.5,
        scale=SPREAD - 1,
        rotation=40.0,
        shift=40 / 384,
        size=size,
        hue=0.0,
        saturation=0.0,
        value=0.0,
    )

    def proposed(decoder: ConfigDict) -> ConfigDict:
        return spec(
            proposals.Proposals,
            size=size,
            parts=proposal_parts.MPII,
            decoder=decoder,
        )

    everybody = spec(
        proposal_parsing.Parsing,
        parts=proposal_parts.MPII,
        threshold=0.1,
        overlap=0.3,
    )
    config.learner = spec(
        supervised.Supervised,
        model=spec(
            proposal.Proposal,
            num_parts=len(proposal_parts.MPII),
            num_limbs=len(proposal_parts.MPII.limbs),
            trunk=spec(
                resnet.resnet,
                layers=18,
                mean=imagenet.MEAN,
                std=imagenet.STD,
                dtype="float32",
            ),
        ),
        objective=proposed(everybody),
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
        # torchvision's resnet18 file, read without PyTorch; empty for a fresh trunk. A
        # checkpoint of the original needs weights.proposal.Proposal.
        pretrained=spec(resnet_weights.Trunk, path=""),
    )
    validation = mpii("validation", height=HEIGHT)
    config.evals = {
        "crops": spec(
            evaluate.Eval,
            data=crops(validation),
            metrics=(spec(multiperson.MeanAP),),
        ),
        "middle": spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(validation,), skeleton=MPII, size=size),
            metrics=(spec(pckh.PCKh),),
            objective=proposed(spec(central.Central, decoder=everybody, size=size)),
        ),
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=1000, keep=2, best="crops/mAP@0.5"
    )
    return config
