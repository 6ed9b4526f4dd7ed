import numpy as np
import pytest
import torch

from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes import class_scores
from crosscale.evaluation.probes.linear import LinearProbe


def clusters(clips=90, classes=3, width=8, scale=1.0, seed=0):
    """Well separated classes: features and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(clips) % classes
    centres = np.random.default_rng(7).normal(size=(classes, width))
    vectors = centres[labels] + 0.2 * rng.normal(size=(clips, width))
    return (scale * vectors).astype(np.float32), labels


def accuracy(scores, labels):
    return (scores.argmax(axis=1) == labels).mean()


def linear_scores(x, y, test, **settings):
    return LinearProbe(**settings).fit(x, y).decision_function(test)


def naive_training(x, y, test, classes, config, seed):
    """SGD with momentum on softmax regression, its gradient written out by hand."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.normal(0.0, 0.01, (classes, x.shape[1]), generator=generator).double().numpy()
    bias = np.zeros(classes)
    speed = [np.zeros_like(weight), np.zeros_like(bias)]
    for epoch in range(config.epochs):
        rate = config.learning_rate / 10 ** sum(epoch >= m for m in config.milestones)
        order = torch.randperm(len(x), generator=generator).numpy()
        for start in range(0, len(x), config.batch_size):
            rows = order[start : start + config.batch_size]
            outputs = x[rows] @ weight.T + bias
            shares = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
            error = (shares - np.eye(classes)[y[rows]]) / len(rows)
            gradients = error.T @ x[rows] + config.weight_decay * weight, error.sum(axis=0)
            gradients = gradients[0], gradients[1] + config.weight_decay * bias
            for i, gradient in enumerate(gradients):
                speed[i] = config.momentum * speed[i] + gradient
            weight, bias = weight - rate * speed[0], bias - rate * speed[1]
    outputs = test @ weight.T + bias
    return outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))


def test_the_published_settings_are_the_default_ones():
    config = LinearProbe()
    assert (config.epochs, config.learning_rate, config.milestones) == (100, 3.0, (80,))
    assert (config.batch_size, config.momentum, config.weight_decay) == (128, 0.9, 0.0)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_training_equals_hand_written_gradient_steps(weight_decay):
    x, y = clusters(clips=50)
    test = clusters(seed=1)[0]
    config = LinearProbe(
        epochs=4,
        learning_rate=0.5,
        milestones=(2, 3),
        batch_size=16,  # the last batch holds 2
        weight_decay=weight_decay,
        normalise="none",
    )
    expected = naive_training(x.astype(float), y, test.astype(float), 3, config, seed=5)
    found = config.set_params(random_state=5).fit(x, y).decision_function(test)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_it_learns_separable_classes_and_its_curves_show_it():
    x, y = clusters()
    test, truth = clusters(seed=1)
    probe = LinearProbe(epochs=20).fit(x, y)
    assert probe.score(test, truth) == 1
    assert len(probe.train_loss_) == len(probe.train_accuracy_) == 20
    assert probe.train_loss_[-1] < 0.1 < probe.train_loss_[0]
    assert probe.train_accuracy_[-1] == 1


def test_scores_are_log_probabilities():
    x, y = clusters()
    scores = linear_scores(x, y, x, epochs=2)
    assert scores.shape == (90, 3)
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_scores_and_another_seed_others():
    x, y = clusters()
    one, two = (linear_scores(x, y, x, epochs=3, random_state=1) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert (linear_scores(x, y, x, epochs=3, random_state=2) != one).any()


def test_the_number_of_threads_neither_changes_the_result_nor_is_changed():
    x, y = clusters()
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(linear_scores(x, y, x, epochs=3))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("normalise", ["standardise", "l2"])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_normalised_features_make_the_learning_rate_independent_of_their_scale(normalise, scale):
    settings = {"epochs": 5, "normalise": normalise}
    scores = [
        linear_scores(*clusters(scale=s), clusters(scale=s, seed=1)[0], **settings)
        for s in (1.0, scale)
    ]
    np.testing.assert_allclose(*scores, atol=1e-2)


def test_standardising_uses_training_clips_only_and_survives_constant_features():
    x, y = clusters()
    x = np.concatenate([x, np.full((90, 1), 5, np.float32)], axis=1)
    together = linear_scores(x, y, x[:9], epochs=3)
    alone = linear_scores(x, y, x[:1], epochs=3)
    np.testing.assert_allclose(together[:1], alone, atol=1e-6)
    collapsed = linear_scores(np.ones_like(x), y, np.ones_like(x), epochs=3)
    assert np.isfinite(collapsed).all()


def test_fewer_clips_than_a_batch_and_classes_without_clips_are_no_trouble():
    x, y = clusters(clips=6, classes=2)
    scores = class_scores(LinearProbe(epochs=30).fit(x, y), x, 5)
    assert scores.shape == (6, 5)
    assert accuracy(scores, y) == 1


def test_divergence_is_an_error_with_a_remedy():
    x, y = clusters(scale=1e20)
    with pytest.raises(CrosscaleError, match=r"diverged in epoch .*learning_rate"):
        linear_scores(x, y, x, normalise="none")


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}])
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(CrosscaleError):
        LinearProbe(**wrong).fit(*clusters())
