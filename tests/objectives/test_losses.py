import numpy as np
import pytest
import torch

from crosscale.objectives.losses import (
    cross_logits,
    divergence,
    infonce_logits,
    multi_positive,
    nearest_in_queue,
    same_clip_logits,
)

BRANCHES = ("joint", "part")


def infonce(logits):
    """Cross entropy with the key, which stands in column 0."""
    return torch.nn.functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long))


@pytest.fixture
def numbers(golden):
    return {k: torch.tensor(v) for k, v in np.load(golden / "contrast_losses.npz").items()}


@pytest.fixture
def logits(numbers):
    return [
        infonce_logits(
            numbers[f"q_{b}"],
            numbers[f"k_{b}"],
            numbers[f"queue_{b}"].T,
            float(numbers["temperature"]),
        )
        for b in BRANCHES
    ]


def test_stage_1_equals_the_published_code(numbers, logits):
    for line, branch in zip(logits, BRANCHES, strict=True):
        torch.testing.assert_close(line, numbers[f"stage1_logits_{branch}"], atol=1e-5, rtol=1e-5)
        assert float(infonce(line)) == pytest.approx(
            float(numbers[f"stage1_loss_{branch}"]), abs=1e-5
        )


@pytest.mark.parametrize("top", [1, 3])
@pytest.mark.parametrize("context", [False, True])
def test_stage_2_equals_the_published_code(numbers, logits, top, context):
    mined = [nearest_in_queue(numbers[f"q_{b}"], numbers[f"queue_{b}"].T, top) for b in BRANCHES]
    pairs = cross_logits(logits, mined, context=context, temperature=float(numbers["temperature"]))
    key = f"stage2_topk{top}_context{int(context)}"
    torch.testing.assert_close(pairs[0][0], numbers[f"{key}_logits_joint"], atol=1e-5, rtol=1e-5)
    for (line, mask), branch in zip(pairs, BRANCHES, strict=True):
        torch.testing.assert_close(mask, numbers[f"{key}_mask_{branch}"].float())
        assert float(multi_positive(line, mask, "mean_log")) == pytest.approx(
            float(numbers[f"{key}_loss_{branch}"]), abs=1e-5
        )


@pytest.mark.parametrize("form", ["mean_log", "log_sum"])
def test_with_one_positive_both_forms_are_infonce(logits, form):
    mask = torch.zeros_like(logits[0])
    mask[:, 0] = 1
    torch.testing.assert_close(multi_positive(logits[0], mask, form), infonce(logits[0]))


def test_both_forms_equal_a_loop_over_samples(logits):
    line = logits[0]
    mask = (torch.rand(line.shape, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    mask[:, 0] = 1
    mean_log, log_sum = [], []
    for row, chosen in zip(line.double(), mask.bool(), strict=True):
        share = row.exp() / row.exp().sum()
        mean_log.append(-share[chosen].log().mean())
        log_sum.append(-share[chosen].sum().log())
    assert float(multi_positive(line, mask, "mean_log")) == pytest.approx(
        float(torch.stack(mean_log).mean()), rel=1e-5
    )
    assert float(multi_positive(line, mask, "log_sum")) == pytest.approx(
        float(torch.stack(log_sum).mean()), rel=1e-5
    )


@pytest.mark.parametrize("branches", [2, 3, 4])
def test_any_number_of_branches_take_positives_from_each_other(branches):
    torch.manual_seed(0)
    unit = torch.nn.functional.normalize
    queues = [unit(torch.randn(12, 8), dim=1) for _ in range(branches)]
    queries = [unit(torch.randn(5, 8), dim=1) for _ in range(branches)]
    logits = [infonce_logits(q, q, m, 0.1) for q, m in zip(queries, queues, strict=True)]
    mined = [nearest_in_queue(q, m, 2) for q, m in zip(queries, queues, strict=True)]
    pairs = cross_logits(logits, mined, context=True, temperature=0.1)
    for branch, (line, mask) in enumerate(pairs):
        assert line.shape == mask.shape == (5, 1 + 12 * branches)
        union = torch.stack([m for o, m in enumerate(mined) if o != branch]).amax(dim=0)
        torch.testing.assert_close(mask[:, 1:13], union)
        assert (mask[:, 0] == 1).all()


OWN = torch.tensor([[False, True, False], [False, False, False]])


def _logits(columns):
    mask = torch.zeros(2, columns)
    mask[:, 0] = 1
    return torch.randn(2, columns, generator=torch.Generator().manual_seed(0)), mask


@pytest.mark.parametrize("form", ["mean_log", "log_sum"])
def test_own_past_left_out_is_as_if_it_were_not_in_the_queue(form):
    logits, mask = _logits(4)
    changed = same_clip_logits(logits, mask, OWN, "left_out")
    kept = multi_positive(logits[:1, [0, 1, 3]], mask[:1, [0, 1, 3]], form)
    torch.testing.assert_close(multi_positive(*(x[:1] for x in changed), form), kept)
    assert torch.equal(changed[0][1], logits[1])


def test_own_past_becomes_a_positive_in_the_queue_and_in_its_context():
    logits, mask = _logits(7)
    same, wider = same_clip_logits(logits, mask, OWN, "positive")
    assert torch.equal(same, logits)
    assert wider.tolist() == [[1, 0, 1, 0, 0, 1, 0], [1, 0, 0, 0, 0, 0, 0]]


def test_barred_entries_are_not_mined():
    query, queue = torch.eye(3)[:1], torch.eye(3)
    assert nearest_in_queue(query, queue, 1).tolist() == [[1, 0, 0]]
    barred = torch.tensor([[True, False, False]])
    assert nearest_in_queue(query, queue, 2, barred).tolist() == [[0, 1, 1]]


def test_divergence_is_the_entropy_when_a_view_follows_and_more_otherwise():
    logits, other = torch.randn(2, 5, 9, generator=torch.Generator().manual_seed(0))
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    torch.testing.assert_close(divergence(logits, logits), entropy)
    assert divergence(logits, other) > entropy


def test_divergence_moves_the_follower_only():
    logits, other = (torch.randn(5, 9).requires_grad_() for _ in range(2))
    divergence(logits, other).backward()
    assert logits.grad is None
    assert other.grad.abs().sum() > 0
