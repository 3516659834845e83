"""Pose proposal networks on drawn people, that two CPU cores can train without a download.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \\
        python main.py --config configs/proposal_figures.py

The pictures and batches of `associative_figures` in 4000 steps, on a grid of 12 x 12 cells
of 16 pixels: its small ResNet, without the last stage. Heads are measured by their
boxes. Of the limbs on augmented pictures one in a thousand ends beyond the window.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.figures import figures_dataset_builder
from jaxpose import augment, checkpoint, evaluate, lengths, records, regions, scenes
from jaxpose.config import spec
from jaxpose.learners import optimizers, supervised
from jaxpose.metrics import coco, coco_errors, multiperson
from jaxpose.models import proposal, resnet
from jaxpose.objectives import proposal_parsing, proposal_parts, proposals
from jaxpose.skeletons import COCO


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((192, 192))
    config.seed = 0
    config.batch_size = 32
    config.num_steps = 4000
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 50
    config.eval_every = 1000

    # As `associative_figures`, so that they are drawn once.
    drawn = spec(
        figures_dataset_builder.own,
        recipe=figures_dataset_builder.MULTI.recipe,
        pictures={"train": 12_000, "test": 500},
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
    config.augment = spec(
        augment.Augment,
        skeleton=COCO,
        flip=0.5,
        scale=0.2,
        rotation=15.0,
        shift=0.05,
        hue=0.0,
        saturation=0.2,
        value=0.1,
    )
    config.learner = spec(
        supervised.Supervised,
        model=spec(
            proposal.Proposal,
            num_parts=len(proposal_parts.COCO),
            num_limbs=len(proposal_parts.COCO.limbs),
            trunk=spec(
                resnet.ResNet,
                blocks=(1, 2, 2),
                bottleneck=False,
                features=(32, 64, 128),
            ),
            features=128,
        ),
        objective=spec(
            proposals.Proposals,
            size=size,
            parts=proposal_parts.COCO,
            stride=16,
            decoder=spec(
                proposal_parsing.Parsing, parts=proposal_parts.COCO, people=16
            ),
        ),
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.warmup_cosine,
                peak=2e-3,
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
                spec(coco.AP),
                spec(coco_errors.Errors),
                spec(multiperson.MeanAP),
            ),
            mirror=True,
        )
    }
    config.checkpoints = spec(checkpoint.Checkpoints, every=250, keep=2, best="test/AP")
    return config
