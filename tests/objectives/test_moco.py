import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from crosscale.augment.compose import View
from crosscale.encoders.stgcn import EncoderSettings
from crosscale.errors import CrosscaleError
from crosscale.models.published import from_published, head_from_published, load_whole
from crosscale.objectives.moco import ContrastSettings, MomentumContrast
from crosscale.skeleton.layout import Layout

NTU = Layout.load("ntu25")
TINY = EncoderSettings(hidden=4, width=16, dropout=0.0)
NO_CUT = {"joints": None, "part10": None, "body5": None}


def _network_weights(weights, prefix):
    own = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    encoder = {f"encoder.{k}": v for k, v in from_published(own).items()}
    head = {f"head.{k}": v for k, v in head_from_published(own).items()}
    return encoder | head


def test_three_steps_equal_the_published_code(golden):
    numbers = load_file(golden / "sgclr_three_steps.safetensors")
    method = MomentumContrast(
        NTU,
        ContrastSettings(streams=["joint"], features=8, queue=24, momentum=0.9),
        EncoderSettings(hidden=4, width=16, dropout=0.0, hops="capped", bodies="all"),
    )
    load_whole(method.query[0], _network_weights(numbers, "before.encoder_q."), "query")
    load_whole(method.key[0], _network_weights(numbers, "before.encoder_k."), "key")
    method.queue.keys.copy_(numbers["before.queue"].T.unsqueeze(0))
    optimiser = torch.optim.SGD(method.query.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    for step in range(3):
        query, key = (View(numbers[f"step{step}.{w}_view"], NO_CUT) for w in ("query", "key"))
        outcome = method((query, key), torch.ones(6, 2, dtype=torch.bool), torch.arange(6), False)
        torch.testing.assert_close(
            outcome.loss.detach(), numbers[f"step{step}.loss"].squeeze(), atol=1e-4, rtol=1e-5
        )
        optimiser.zero_grad()
        outcome.loss.backward()
        optimiser.step()
    for part, prefix in ((method.query[0], "encoder_q."), (method.key[0], "encoder_k.")):
        after = _network_weights(numbers, f"after.{prefix}")
        for name, value in part.state_dict().items():
            torch.testing.assert_close(
                value.float(), after[name].float(), atol=1e-5, rtol=1e-4, msg=name
            )
    torch.testing.assert_close(method.queue.keys[0].T, numbers["after.queue"], atol=1e-5, rtol=1e-4)


def _step(settings, cross=False, encoder=TINY):
    torch.manual_seed(0)
    method = MomentumContrast(NTU, settings, encoder)
    views = tuple(View(torch.randn(4, 3, 16, 25, 2), NO_CUT) for _ in range(2))
    outcome = method(views, torch.ones(4, 2, dtype=torch.bool), torch.arange(4), cross)
    return method, outcome


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
@pytest.mark.parametrize("cross", [False, True])
def test_every_stream_learns_in_both_stages(streams, cross):
    if cross and len(streams) == 1:
        pytest.skip("one stream has nobody to find positives for it")
    method, outcome = _step(ContrastSettings(streams=streams, queue=10), cross)
    outcome.loss.backward()
    assert torch.isfinite(outcome.loss)
    for network in method.query:
        assert all(p.grad is not None for p in network.parameters())
    assert all(p.grad is None for p in method.key.parameters())


def test_keys_start_as_copies_and_independently_when_asked():
    same, _ = _step(ContrastSettings(queue=10, momentum=1.0))
    other, _ = _step(ContrastSettings(queue=10, momentum=1.0, key_start="independent"))
    query, key = (n[0].encoder.blocks[0].temporal.weight for n in (same.query, same.key))
    assert torch.equal(query, key)
    query, key = (n[0].encoder.blocks[0].temporal.weight for n in (other.query, other.key))
    assert not torch.equal(query, key)


def test_stage_2_leaves_the_first_key_encoder_alone_only_when_asked():
    for stale in (False, True):
        settings = ContrastSettings(
            streams=["joint", "joint@part10"],
            queue=10,
            momentum=0.0,
            key_start="independent",
            stale_first_key=stale,
        )
        method, _ = _step(settings, cross=True)
        equal = [
            torch.equal(q.head.hidden.weight, k.head.hidden.weight)
            for q, k in zip(method.query, method.key, strict=True)
        ]
        assert equal == [not stale, True]


def test_a_shared_head_is_one_head_in_two_networks():
    settings = ContrastSettings(streams=["joint", "joint@part10"], queue=10, shared_head=True)
    method, _ = _step(settings)
    assert method.query[1].head.out is method.query[0].head
    assert method.key[1].head.out is method.key[0].head


def test_total_is_the_sum_or_the_mean_of_the_branches():
    streams = ["joint", "joint@part10"]
    _, total = _step(ContrastSettings(streams=streams, queue=10))
    _, mean = _step(ContrastSettings(streams=streams, queue=10, total="mean"))
    assert float(total.loss.detach()) == pytest.approx(2 * float(mean.loss.detach()), rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ContrastSettings(streams=[]), "one or more"),
        (ContrastSettings(streams=["joint", "joint"]), "must differ"),
        (ContrastSettings(cross_from=0.5), "two or more streams"),
        (ContrastSettings(queue=2, top=3), "no more than the queue"),
        (ContrastSettings(temperature=0.0), "above 0"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings, message):
    with pytest.raises(CrosscaleError, match=message):
        MomentumContrast(NTU, settings, TINY)


@pytest.mark.parametrize("own_past", ["left_out", "positive"])
@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_own_past_changes_the_loss_when_the_queue_holds_it(own_past, cross, held):
    losses = []
    for role in ("negative", own_past):
        settings = ContrastSettings(
            streams=["joint", "joint@part10"], features=8, queue=8, own_past=role, cross_from=0.5
        )
        torch.manual_seed(0)
        method = MomentumContrast(NTU, settings, TINY)
        if held:
            method.queue.clips[:4] = torch.arange(4)
        views = tuple(View(torch.randn(4, 3, 16, 25, 2), NO_CUT) for _ in range(2))
        body_mask = torch.ones(4, 2, dtype=torch.bool)
        losses.append(float(method(views, body_mask, torch.arange(4), cross).loss.detach()))
    assert (abs(losses[0] - losses[1]) > 1e-5) == held


AIM = ContrastSettings(
    streams=["joint"], features=8, queue=12, extreme=1.0, mine="own", cross_from=0.5
)


def _aim(settings, cross, views=3):
    torch.manual_seed(0)
    method = MomentumContrast(NTU, settings, TINY)
    drawn = [View(torch.randn(4, 3, 16, 25, 2), NO_CUT) for _ in range(views)]
    return method, method(drawn, torch.ones(4, 2, dtype=torch.bool), torch.arange(4), cross)


def test_extreme_views_add_their_weighted_divergence_and_nothing_else():
    plain, half, whole = (
        _aim(dataclasses.replace(AIM, extreme=weight), cross=False)[1].loss.detach()
        for weight in (0.0, 0.5, 1.0)
    )
    assert whole > plain
    torch.testing.assert_close(half, (plain + whole) / 2)


def test_a_stream_alone_mines_in_its_own_queue_with_all_its_views():
    _, outcome = _aim(AIM, cross=True)
    (mined,) = outcome.mined
    assert mined.shape == (4, 12)
    assert set(mined.sum(dim=1).tolist()) <= {1.0, 2.0, 3.0}  # query, extreme, dropped
    _, one = _aim(dataclasses.replace(AIM, extreme=0.0), cross=True, views=2)
    assert one.mined[0].sum(dim=1).tolist() == [1, 1, 1, 1]


def test_streams_that_mine_for_themselves_do_not_touch_each_other():
    pair = dataclasses.replace(AIM, streams=["joint", "motion"])
    torch.manual_seed(0)
    both = MomentumContrast(NTU, pair, TINY)
    single = MomentumContrast(NTU, AIM, TINY)
    single.query[0].load_state_dict(both.query[0].state_dict())
    single.key[0].load_state_dict(both.key[0].state_dict())
    single.queue.keys.copy_(both.queue.keys[:1])
    views = [View(torch.randn(4, 3, 16, 25, 2), NO_CUT) for _ in range(3)]
    arguments = views, torch.ones(4, 2, dtype=torch.bool), torch.arange(4), True
    torch.testing.assert_close(
        both(*arguments).watch["joint/loss"], single(*arguments).watch["joint/loss"]
    )


def test_impossible_mining_is_refused():
    with pytest.raises(CrosscaleError, match="or mine: own"):
        MomentumContrast(NTU, dataclasses.replace(AIM, mine="others"), TINY)
    with pytest.raises(CrosscaleError, match="must not be negative"):
        MomentumContrast(NTU, dataclasses.replace(AIM, extreme=-1.0), TINY)
