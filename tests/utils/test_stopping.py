"""A stop is a stop, also where compiled code makes another error of it."""

import os
import signal
import time
from pathlib import Path

import pytest
from safetensors import SafetensorError

from crosscale.cli import INTERRUPTED, USER_ERROR, main
from crosscale.models.checkpoint import ENCODER_FILE
from crosscale.readers.base import Item
from crosscale.readers.reading import read_all
from crosscale.utils import tensors
from crosscale.utils.stopping import signals_stop, stop_asked

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def _lost(sent: signal.Signals, error: Exception) -> None:
    """As compiled code does with an exception that a signal raised in it."""
    try:
        os.kill(os.getpid(), sent)
        time.sleep(10)  # which the signal ends, had it not come at once
    except KeyboardInterrupt:
        raise error from None


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    path = tmp_path / ENCODER_FILE
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("sent", SIGNALS)
@pytest.mark.parametrize("error", [SafetensorError("no shape"), TypeError("no shape")])
def test_a_command_stopped_within_compiled_code_calls_no_file_damaged(
    encoder: Path,
    sent: signal.Signals,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["export", "onnx", str(encoder), "--out", str(encoder.with_name("a.onnx"))]
    assert main(words) == USER_ERROR
    assert "cannot be read" in capsys.readouterr().err
    monkeypatch.setattr(tensors, "safe_open", lambda *_, **__: _lost(sent, error))
    assert main(words) == INTERRUPTED
    assert capsys.readouterr().err.startswith("crosscale: stopped")


class _StoppedReader:
    def read(self, item: Item) -> None:
        _lost(signal.SIGTERM, ValueError("could not convert"))


def test_no_recording_is_skipped_for_a_stop_within_its_reader() -> None:
    with signals_stop(), pytest.raises(KeyboardInterrupt):
        list(read_all(_StoppedReader(), [Item("a", Path("a"))], workers=1))


def test_handlers_are_as_before_and_a_stop_is_forgotten_by_the_next_command() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(KeyboardInterrupt), signals_stop():
        os.kill(os.getpid(), signal.SIGTERM)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with signals_stop():
        assert not stop_asked()


def test_what_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals_stop():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_comparison_that_is_stopped_says_that_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt("go on with --resume")  # as the training loop says it

    monkeypatch.setattr("crosscale.evaluation.comparison.plan.read_plan", lambda path: None)
    monkeypatch.setattr("crosscale.evaluation.comparison.cells.run_cells", stopped)
    assert main(["compare", "plan.yaml", "--out", str(tmp_path / "compared")]) == INTERRUPTED
    assert capsys.readouterr().err == "crosscale: stopped; the same command goes on with it\n"
