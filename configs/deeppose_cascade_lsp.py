"""DeepPose's cascade on LSP and LSPET, at a size that two CPU cores can train.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 \\
        python main.py --config configs/deeppose_cascade_lsp.py
    python main.py --config configs/deeppose_cascade_lsp.py --mode evaluate \\
        --split 'test,stage*'

The first stage is `deeppose_small.py`. Two more look at each keypoint in sub-images of
canvases that show more than it sees; `test` is the last stage. They learn from real
estimates of the stage before, and answer by softmax maps over the sub-image.

PCK@0.2 on LSP test is 41.9 after stage 1, as `deeppose_small.py` was trained alone, 49.2
after stage 2 and 48.6 after stage 3, strict PCP 44.6, 47.7 and 47.2: the last stage, of
350 steps, gains nothing. Stages 2 and 3 took 21 and 6 minutes on two cores which
other work shared throughout, after stage 1's 41.

The paper has `regressor.Regressor` on `alexnet.AlexNet` with `coordinates.Coordinates` in
every stage, in a copy of this file, and these fields:

    --config.data.size=227,227 --config.learner.stages[0].learner.objective.size=227,227
    --config.learner.stages[1].learner.objective.size=227,227
    --config.learner.stages[2].learner.objective.size=227,227
    --config.learner.estimates=simulated --config.learner.crops=40 --config.batch_size=128

Source: Toshev and Szegedy 2014, section 3.2.
"""

from ml_collections import ConfigDict, config_dict

from data_builders.lsp import lsp_dataset_builder
from data_builders.lspet import lspet_dataset_builder
from jaxpose import augment, checkpoint, data, evaluate, records, regions
from jaxpose.config import spec
from jaxpose.learners import cascade, optimizers, supervised
from jaxpose.metrics import pck, pcp
from jaxpose.models import hourglass, integral
from jaxpose.objectives import coordinates, softmax_heatmaps, stages
from jaxpose.skeletons import LSP


def get_config() -> ConfigDict:
    config = ConfigDict()
    # One field wherever it stands: --config.data.size=... changes all.
    size = config_dict.FieldReference((128, 128))
    config.seed = 0
    config.batch_size = 64
    steps = [config_dict.FieldReference(n) for n in (5600, 950, 350)]
    config.num_steps = steps[0] + steps[1] + steps[2]
    config.data_dir = "data"
    config.manual_dir = "data/manual"
    config.log_every = 50
    config.eval_every = 400

    # LSP's photographs end close to their person and LSPET's do not: around LSPET's
    # people the photograph is cut as it would be in LSP. Testing needs no box.
    lspet = spec(
        records.Split,
        builder=lspet_dataset_builder.Builder,
        split="train",
        region=spec(regions.PersonBox, padding=1.3, margin=8.0, inside=True),
    )
    lsp = {
        split: spec(
            records.Split,
            builder=lsp_dataset_builder.Builder,
            split=split,
            region=spec(regions.WholeImage),
        )
        for split in ("train", "test")
    }
    config.data = spec(
        data.Data, sources=(lspet, lsp["train"]), skeleton=LSP, size=size, threads=0
    )
    config.augment = spec(
        augment.Augment,
        skeleton=LSP,
        flip=0.5,
        scale=0.2,
        rotation=25.0,
        shift=0.05,
        hue=0.1,
        saturation=0.3,
        value=0.15,
    )
    config.learner = spec(
        cascade.Cascade,
        objective=spec(stages.Stages, size=size),
        skeleton=LSP,
        stages=(
            stage(steps[0], **regressor((96, 96))),
            stage(steps[1], **refiner((48, 48))),
            stage(steps[2], **refiner((48, 48))),
        ),
        crops=7,
        estimates="real",
        box=2.0,
    )
    config.evals = {
        name: spec(
            evaluate.Eval,
            data=spec(data.Data, sources=(lsp["test"],), skeleton=LSP, size=size),
            metrics=(spec(pck.PCK, threshold=0.2), spec(pcp.PCP)),
            mirror=True,
            objective=spec(stages.Stages, size=size, stage=number),
            watch=not number,
        )
        for name, number in (("test", 0), ("stage1", 1), ("stage2", 2))
    }
    config.checkpoints = spec(
        checkpoint.Checkpoints, every=200, keep=2, best="test/PCK@0.2"
    )
    return config


def stage(steps: config_dict.FieldReference, **fields: ConfigDict) -> ConfigDict:
    """A network, what its outputs mean, and its training."""
    learner = spec(
        supervised.Supervised,
        **fields,
        optimizer=spec(
            optimizers.adamw,
            learning_rate=spec(
                optimizers.warmup_cosine, peak=3e-3, warmup_steps=200, num_steps=steps
            ),
            weight_decay=1e-2,
        ),
    )
    return spec(cascade.Stage, learner=learner, steps=steps)


def regressor(size: tuple[int, int]) -> dict[str, ConfigDict]:
    """For whole canvases of (height, width)."""
    return {
        "model": spec(
            integral.IntegralRegressor,
            num_keypoints=14,
            features=(24, 48, 96),
            blocks=(0, 1, 3),
        ),
        "objective": spec(coordinates.Coordinates, size=size),
    }


def refiner(size: tuple[int, int]) -> dict[str, ConfigDict]:
    """For sub-images of (height, width)."""
    return {
        "model": spec(
            hourglass.StackedHourglass,
            num_keypoints=14,
            stacks=1,
            features=48,
            increase=24,
            depth=2,
            stem=(16, 32, 48),
            mean=hourglass.LSP_MEAN,
        ),
        "objective": spec(softmax_heatmaps.SoftmaxHeatmaps, size=size, sigma=1.0),
    }
