"""What training on a GPU promises."""

import pytest
import torch

from benchmarks.works import SIZES, training_step
from crosscale.encoders.stgcn import EncoderSettings
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import ClipTensors

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_no_step_waits_for_the_gpu():
    layout, device = Layout.load("ntu25"), torch.device("cuda")
    clips = ClipTensors(
        torch.randn(64, 3, 50, 25, 2, device=device), torch.rand(64, 2) > torch.tensor([0, 0.5])
    )
    train = training_step(layout, EncoderSettings(), SIZES["small"], device)
    batches = torch.arange(64).split(SIZES["small"].batch)

    def epoch():
        for rows in batches:
            batch = clips.take(rows)
            train(batch.coordinates, batch.body_mask)

    epoch()  # kernels are recorded, constants copied
    torch.cuda.set_sync_debug_mode("error")
    try:
        epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")
