"""When a run is said to have collapsed; the numbers are those of runs that were made."""

import pytest

from crosscale.training.callbacks import LONG, SOON, CollapseAlarm, EpochEnd


def row(epoch, spread, positive, negative, loss=6.24):
    watched = {"embedding_std": spread, "pos_sim": positive, "neg_sim": negative, "loss": loss}
    named = {f"joint/{name}": value for name, value in watched.items()}
    return EpochEnd(epoch, 100, {"epoch": epoch, **named}, 0.0, None)


def told(*rows):
    said = []
    alarm = CollapseAlarm(128, said.append)
    for epoch, values in enumerate(rows, start=1):
        alarm(row(epoch, *values))
    return said


SOUND = (0.0355, 0.909, 0.717, 5.01)
# Stage 2 on UTD-MHAD, epoch 70; these encoders were the second best of seven by linear evaluation.
NARROW = (0.0012, 0.975, 0.972, 6.70)
ALIKE = (0.00001, 1.0, 0.93, 5.3)
NOTHING_FOUND = (0.02, 0.3, 0.3)


@pytest.mark.parametrize("values", [SOUND, NARROW])
def test_sound_runs_are_left_alone_also_where_their_loss_is_above_chance(values):
    assert told(*[values] * 100) == []


def test_embeddings_that_are_all_alike_are_told_once_after_some_epochs():
    assert told(*[SOUND] * 5, *[ALIKE] * (SOON - 1), SOUND, *[ALIKE] * (SOON - 1)) == []
    (line,) = told(*[SOUND] * 5, *[ALIKE] * 50)
    assert line.startswith(f"by epoch {5 + SOON} the run has collapsed (joint: all embeddings are")


def test_a_queue_of_equal_keys_is_told_once_after_long():
    assert told(*[NOTHING_FOUND] * (LONG - 1), SOUND) == []
    (line,) = told(*[NOTHING_FOUND] * 50)
    assert line.startswith(
        f"by epoch {LONG} the run has collapsed (joint: for {LONG} epochs a clip"
    )


def test_every_stream_is_looked_at():
    said = []
    alarm = CollapseAlarm(128, said.append)
    for epoch in range(SOON):
        done = row(epoch, *SOUND)
        alike = row(epoch, *ALIKE).metrics
        done.metrics.update({k.replace("joint", "motion"): v for k, v in alike.items()})
        alarm(done)
    assert "(motion: all embeddings" in said[0]


def test_an_objective_of_other_metrics_is_left_alone():
    said = []
    alarm = CollapseAlarm(128, said.append)
    for epoch in range(1, 2 * LONG):
        alarm(EpochEnd(epoch, 100, {"epoch": epoch, "loss": 1.0, "joint/variance": 0.1}, 0.0, None))
    assert said == []
