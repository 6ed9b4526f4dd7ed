import io
import sys
import time

from crosscale.cli import main, progress
from crosscale.cli.progress import Bars, told
from crosscale.training.callbacks import EpochEnd
from crosscale.utils.progress import displayed_by, tracked


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal(monkeypatch):
    """In place of the standard error, once the test runs: fixtures come before its capture."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return screen


def test_long_work_is_shown_with_the_time_left_and_parts_below_it(monkeypatch):
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    words, end = ("wholes", "parts", "left"), time.monotonic() + 120
    with displayed_by(Bars()):
        for _ in tracked(range(2), "wholes", 2):
            for part in tracked(range(4), "parts", 4):
                while part and not all(word in screen.getvalue() for word in words):
                    assert time.monotonic() < end, screen.getvalue()
                    time.sleep(0.01)
    shown = screen.getvalue()
    time.sleep(0.3)
    assert screen.getvalue() == shown, "nothing is drawn any more"


def test_short_work_is_not_shown(monkeypatch):
    screen = terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", 600.0)  # seconds, on whatever machine
    with displayed_by(Bars()):
        assert [*tracked(range(3), "moments", 3)] == [0, 1, 2]
    assert screen.getvalue() == ""


def test_work_that_ends_in_another_order_than_it_began_is_shown(monkeypatch):
    terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    with displayed_by(Bars()):
        first, second = tracked(range(2), "first", 2), tracked(range(2), "second", 2)
        next(first), next(second)
        first.close()
        second.close()
        assert [*tracked(range(2), "third", 2)] == [0, 1]


def test_in_a_pipe_there_are_no_bars(tmp_path, capsys):
    made = ["synth", str(tmp_path / "raw"), "--classes=1", "--subjects=1", "--cameras=1"]
    assert main([*made, "--repetitions=1", "--frames=[12,16]"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("1 synthetic clip (")
    assert "of 1 action in" in out


def test_a_first_step_without_anything_to_tell_apart_has_no_loss_yet():
    def line(loss):
        return told(EpochEnd(1, 2, {"loss": loss}, 12.4, None))

    assert line(0.0) == line(1e-7) == "no loss yet, 12 clips/s"
    assert line(0.25) == "loss 0.250, 12 clips/s"
    assert line(-0.9) == "loss -0.900, 12 clips/s", "a similarity that is made large"


def test_an_epoch_tells_whose_nearest_neighbour_was_right_in_per_cent():
    line = told(EpochEnd(2, 2, {"loss": 1.5, "joint/knn": 0.8333}, 30.0, None))
    assert line == "loss 1.500, 30 clips/s, nearest neighbour of joint right 83.3 %"
