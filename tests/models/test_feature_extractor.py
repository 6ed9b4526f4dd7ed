import dataclasses

import numpy as np
import pytest
import torch

from crosscale.encoders import engines
from crosscale.encoders.engines import available
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.models import features
from crosscale.models.checkpoint import TrainedEncoders
from crosscale.models.features import FeatureExtractor
from crosscale.skeleton.layout import Layout
from crosscale.transforms.preprocess import ClipTensors, Preprocess

FRAMES = 12
LAYOUT = Layout.load("ntu25")


def _trained(bodies):
    torch.manual_seed(0)
    settings = EncoderSettings(hidden=4, width=128, bodies=bodies)
    made = STGCN(LAYOUT.scale("joints"), settings)
    made(1 + torch.randn(4, 3, FRAMES, 25, 1))
    return TrainedEncoders({"joint": made.eval()}, LAYOUT, Preprocess(FRAMES), (), "xsub", "", {})


def _clips():
    """Two bodies, one, the other one, none."""
    body_mask = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
    x = torch.randn(4, 3, FRAMES, 25, 2, generator=torch.Generator().manual_seed(8))
    return ClipTensors(x * body_mask[:, None, None, None, :], body_mask)


@pytest.mark.parametrize(
    ("name", "which"),
    [
        ("auto", "present"),
        ("auto", "all"),
        pytest.param("openvino", "present", marks=pytest.mark.slow),
    ],
)
def test_features_are_averaged_over_bodies_as_the_encoder_does(name, which):
    if name == "openvino" and name not in available():
        pytest.skip("engine openvino is not installed")
    trained, clips = _trained(which), _clips()
    with torch.no_grad():
        right = trained.encoders["joint"](clips.coordinates, clips.body_mask)
    found = FeatureExtractor(trained, name, bodies=4)(clips, batch=3)["joint"]
    torch.testing.assert_close(found, right, atol=1e-4, rtol=1e-4)
    assert (found[3].abs().sum() == 0) == (which == "present")


def test_clips_without_any_body_give_zeros():
    empty = dataclasses.replace(_clips(), body_mask=torch.zeros(4, 2, dtype=torch.bool))
    found = FeatureExtractor(_trained("present"))(empty)["joint"]
    assert torch.equal(found, torch.zeros(4, 128))


def test_an_engine_is_built_once_for_all_clips(monkeypatch):
    built = []
    monkeypatch.setattr(features, "build", lambda *a: built.append(a) or engines.build(*a))
    clips, extract = _clips(), FeatureExtractor(_trained("present"))
    torch.testing.assert_close(extract(clips)["joint"], extract(clips)["joint"])
    assert len(built) == 1


def test_what_is_read_of_an_encoder_can_be_chosen():
    trained, clips = _trained("present"), _clips()
    mean, nodes = (FeatureExtractor(trained, pooling=p) for p in ("mean", "nodes"))
    assert (mean.parts, nodes.parts) == ({"joint": (128,)}, {"joint": (25 * 128,)})
    of_nodes = nodes(clips)["joint"].view(4, 25, 128)
    torch.testing.assert_close(of_nodes.mean(dim=1), mean(clips)["joint"])
    everything = FeatureExtractor(trained, pooling="nodes", layers="all")
    assert sum(everything.parts["joint"]) == everything(clips)["joint"].shape[1]
    assert np.all(np.diff(everything.parts["joint"]) >= 0)
