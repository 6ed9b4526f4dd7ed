"""The output layer that is fitted when training ends: what it computes, and that it travels."""

import numpy as np
import torch

import crosscale
from crosscale.training.output import half_whitened


def test_half_whitening_divides_each_axis_by_the_root_of_its_spread():
    features = torch.randn(200, 6, generator=torch.Generator().manual_seed(0)) @ torch.randn(6, 6)
    x = features.double().numpy()
    z = (x - x.mean(0)) / x.std(0, ddof=1)
    _, s, axes = np.linalg.svd(z / np.sqrt(len(z)), full_matrices=False)
    wanted = z @ axes[:4].T / (s[:4] + 1e-3 * s[0]) ** 0.5
    found = half_whitened(features, 4)(features).numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-3, atol=1e-3)


def test_a_run_with_an_output_layer_embeds_to_its_length(tmp_path):
    small = {
        "encoder.width": 8, "source.epoch_clips": 64, "training.epochs": 1, "output.dim": 20,
        "training.batch_size": 16, "output.batches": 4,
    }  # fmt: skip
    run = crosscale.pretrain("programs/body", None, tmp_path / "run", settings=small, device="cpu")
    model = crosscale.load_model(run)
    assert model.dim == 20
    clips = list(np.random.default_rng(0).normal(size=(3, 30, 1, 10, 3)))
    vectors = model.embed(clips, layout="part10")
    assert vectors.shape == (3, 20)
    assert np.isfinite(vectors).all()
