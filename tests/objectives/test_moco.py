import dataclasses
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from crosscale.augment.compose import AugmentSettings, View
from crosscale.encoders.stgcn import STGCN, EncoderSettings
from crosscale.errors import CrosscaleError
from crosscale.models.published import from_published, load_whole
from crosscale.objectives.base import Batch, StreamSpec
from crosscale.objectives.moco import MoCo, MoCoSettings
from crosscale.skeleton.layout import Layout
from crosscale.transforms.modality import Stream

NTU = Layout.load("ntu25")
TINY = EncoderSettings(hidden=4, width=16, dropout=0.0)
NO_CUT = {"joints": None, "part10": None, "body5": None}
ONE, TWO = ["joint"], ["joint", "joint@part10"]


def moco(streams, settings, encoder=TINY):
    parsed = [Stream.parse(name) for name in streams]
    return MoCo(
        [StreamSpec(s, NTU, partial(STGCN, s.graph(NTU), encoder)) for s in parsed], settings
    )


def batch(query, key, *extreme, body_mask=None, mining=False):
    """Views of coordinates (N, C, T, V, M) as a batch, before or after mining begins."""
    body_mask = torch.ones(len(query), 2, dtype=torch.bool) if body_mask is None else body_mask
    drawn = zip(("query", "key", "extreme"), (query, key, *extreme), strict=False)
    views = {name: View(x, NO_CUT, body_mask) for name, x in drawn}
    return Batch(views, torch.arange(len(query)), epochs_done=0.5 if mining else 0.0)


def _network_weights(weights, prefix):
    own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    encoder = {f"encoder.{k}": v for k, v in from_published(own).items()}
    layers = {"fc.0": "head.hidden", "fc.2": "head.out"}
    head = {layers[k[:4]] + k[4:]: v for k, v in own.items() if k[:4] in layers}
    return encoder | head


def test_three_steps_equal_the_published_code(golden):
    numbers = load_file(golden / "sgclr_three_steps.safetensors")
    method = moco(
        ONE,
        MoCoSettings(dim=8, queue=24, momentum=0.9),
        EncoderSettings(hidden=4, width=16, dropout=0.0, hops="capped", bodies="all"),
    )
    load_whole(method.query[0], _network_weights(numbers, "before.encoder_q."), "query")
    load_whole(method.key[0], _network_weights(numbers, "before.encoder_k."), "key")
    method.queue.keys.copy_(numbers["before.queue"].T.unsqueeze(0))
    optimiser = torch.optim.SGD(method.query.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    for step in range(3):
        output = method(batch(*(numbers[f"step{step}.{w}_view"] for w in ("query", "key"))))
        torch.testing.assert_close(
            output.loss.detach(), numbers[f"step{step}.loss"].squeeze(), atol=1e-4, rtol=1e-5
        )
        optimiser.zero_grad()
        output.loss.backward()
        optimiser.step()
    for part, prefix in ((method.query[0], "encoder_q."), (method.key[0], "encoder_k.")):
        after = _network_weights(numbers, f"after.{prefix}")
        for name, value in part.state_dict().items():
            torch.testing.assert_close(
                value.float(), after[name].float(), atol=1e-5, rtol=1e-4, msg=name
            )
    torch.testing.assert_close(method.queue.keys[0].T, numbers["after.queue"], atol=1e-5, rtol=1e-4)


def _step(streams, settings, mining=False):
    torch.manual_seed(0)
    settings = dataclasses.replace(settings, mining_start=0.5 if len(streams) > 1 else None)
    method = moco(streams, settings)
    views = (torch.randn(4, 3, 16, 25, 2) for _ in range(2))
    return method, method(batch(*views, mining=mining))


@pytest.mark.parametrize(
    "streams",
    [
        ["joint"],
        ["joint", "motion"],
        ["joint", "joint@part10"],
        ["joint", "joint@part10", "joint@body5"],
        ["bone", "motion@part10"],
    ],
)
@pytest.mark.parametrize("mining", [False, True])
def test_every_stream_learns_in_both_stages(streams, mining):
    if mining and len(streams) == 1:
        pytest.skip("one stream has nobody to find positives for it")
    method, output = _step(streams, MoCoSettings(queue=10), mining)
    output.loss.backward()
    assert torch.isfinite(output.loss)
    for network in method.query:
        assert all(p.grad is not None for p in network.parameters())
    assert all(p.grad is None for p in method.key.parameters())


def test_keys_start_as_copies_and_independently_when_asked():
    same, _ = _step(ONE, MoCoSettings(queue=10, momentum=1.0))
    other, _ = _step(ONE, MoCoSettings(queue=10, momentum=1.0, key_init="independent"))
    query, key = (n[0].encoder.blocks[0].temporal.weight for n in (same.query, same.key))
    assert torch.equal(query, key)
    query, key = (n[0].encoder.blocks[0].temporal.weight for n in (other.query, other.key))
    assert not torch.equal(query, key)


def test_stage_2_leaves_the_first_key_encoder_alone_only_when_asked():
    for stale in (False, True):
        settings = MoCoSettings(
            queue=10, momentum=0.0, key_init="independent", stale_first_key=stale
        )
        method, _ = _step(TWO, settings, mining=True)
        equal = [
            torch.equal(q.head.hidden.weight, k.head.hidden.weight)
            for q, k in zip(method.query, method.key, strict=True)
        ]
        assert equal == [not stale, True]


def test_a_shared_head_is_one_head_in_two_networks():
    method, _ = _step(TWO, MoCoSettings(queue=10, shared_head=True))
    assert method.query[1].head.out is method.query[0].head
    assert method.key[1].head.out is method.key[0].head


def test_total_is_the_sum_or_the_mean_of_the_branches():
    _, total = _step(TWO, MoCoSettings(queue=10))
    _, mean = _step(TWO, MoCoSettings(queue=10, reduction="mean"))
    assert float(total.loss.detach()) == pytest.approx(2 * float(mean.loss.detach()), rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (MoCoSettings(mining_start=0.5), "two or more streams"),
        (MoCoSettings(queue=2, topk=3), "no more than the queue"),
        (MoCoSettings(temperature=0.0), "above 0"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings, message):
    with pytest.raises(CrosscaleError, match=message):
        moco(ONE, settings)


@pytest.mark.parametrize("same_clip_keys", ["left_out", "positive"])
@pytest.mark.parametrize("mining", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_keys_of_the_same_clip_change_the_loss_when_the_queue_holds_them(
    same_clip_keys, mining, held
):
    losses = []
    for role in ("negative", same_clip_keys):
        settings = MoCoSettings(dim=8, queue=8, same_clip_keys=role, mining_start=0.5)
        torch.manual_seed(0)
        method = moco(TWO, settings)
        if held:
            method.queue.clips[:4] = torch.arange(4)
        views = (torch.randn(4, 3, 16, 25, 2) for _ in range(2))
        losses.append(float(method(batch(*views, mining=mining)).loss.detach()))
    assert (abs(losses[0] - losses[1]) > 1e-5) == held


AIM = MoCoSettings(dim=8, queue=12, extreme_weight=1.0, mine="own", mining_start=0.5)


def _aim(settings, mining, views=3):
    torch.manual_seed(0)
    method = moco(ONE, settings)
    drawn = [torch.randn(4, 3, 16, 25, 2) for _ in range(views)]
    return method(batch(*drawn, mining=mining))


def test_extreme_views_add_their_weighted_divergence_and_nothing_else():
    plain, half, whole = (
        _aim(dataclasses.replace(AIM, extreme_weight=weight), mining=False).loss.detach()
        for weight in (0.0, 0.5, 1.0)
    )
    assert whole > plain
    torch.testing.assert_close(half, (plain + whole) / 2)


def test_a_stream_alone_mines_in_its_own_queue_with_all_its_views():
    mined = _aim(AIM, mining=True).mined.positives
    assert mined.shape == (4, 12)
    assert set(mined.sum(dim=1).tolist()) <= {1.0, 2.0, 3.0}  # query, extreme, dropped
    one = _aim(dataclasses.replace(AIM, extreme_weight=0.0), mining=True, views=2)
    assert one.mined.positives.sum(dim=1).tolist() == [1, 1, 1, 1]


def test_streams_that_mine_for_themselves_do_not_touch_each_other():
    torch.manual_seed(0)
    both, single = moco(["joint", "motion"], AIM), moco(ONE, AIM)
    single.query[0].load_state_dict(both.query[0].state_dict())
    single.key[0].load_state_dict(both.key[0].state_dict())
    single.queue.keys.copy_(both.queue.keys[:1])
    drawn = batch(*(torch.randn(4, 3, 16, 25, 2) for _ in range(3)), mining=True)
    torch.testing.assert_close(
        both(drawn).metrics["joint/loss"], single(drawn).metrics["joint/loss"]
    )


def test_impossible_mining_is_refused():
    with pytest.raises(CrosscaleError, match="or mine: own"):
        moco(ONE, dataclasses.replace(AIM, mine="others"))
    with pytest.raises(CrosscaleError, match="must not be negative"):
        moco(ONE, dataclasses.replace(AIM, extreme_weight=-1.0))


def test_it_wants_a_query_a_key_and_an_extreme_view_where_that_weighs():
    augment, strong = AugmentSettings(shear=0.1), AugmentSettings(shear=0.9)
    settings = dataclasses.replace(AIM, extreme=strong)
    assert MoCo.views(settings, augment) == {"query": augment, "key": augment, "extreme": strong}
    assert set(MoCo.views(MoCoSettings(), augment)) == {"query", "key"}
