"""Whatever a file holds, its reader gives whole clips, or one line that names the file.

`CROSSCALE_FUZZ=9000 CROSSCALE_FUZZ_SEED=2 pytest -m slow tests/fuzz` tries as many damaged files of
each kind, others than the usual run does.
"""

import hashlib
import os
from pathlib import Path

import pytest
from damage import damaged
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from judge import Fault, judge
from samples import Sample, samples

from crosscale.data.store import ClipStore
from crosscale.inference.segment import Timing
from crosscale.readers import READERS, make_reader
from crosscale.readers.prepare import prepare

CORPUS = Path(__file__).parent / "corpus"
SHORT, LONG = 10, int(os.environ.get("CROSSCALE_FUZZ", "200"))
SEED = int(os.environ.get("CROSSCALE_FUZZ_SEED", "1"))
# Needs networks and pictures; what it finds in these is the business of the libraries it asks.
UNTRIED = {"video"}
SAID = {  # frames a second that the first sample of a format says
    "azure": {30.0},
    "bvh": {100.0},
    "c3d": {100.0},
    "mediapipe": {25.0},
    "npz": {25.0, 30.0},
    "trc": {100.0},
}

every_sample = pytest.mark.parametrize("sample", samples().values(), ids=list(samples()))


def fuzz(sample: Sample, inputs: int, begin: int) -> None:
    """Try damaged files of a sample, drawn from a seed; the smallest that fails is kept."""
    whole = sample.files[sample.damaged]
    failed = b""

    @seed(begin)
    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def try_one(draw):
        nonlocal failed
        content = damaged(whole, sample.ending, draw)
        try:
            judge(sample, content)
        except Fault as fault:
            failed = content
            raise AssertionError(str(fault)) from fault

    try:
        try_one()
    except AssertionError as error:
        kept = CORPUS / sample.name / (hashlib.sha256(failed).hexdigest()[:12] + sample.ending)
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(failed)
        raise AssertionError(
            f"{error} (kept as {kept}; CROSSCALE_FUZZ_SEED={begin} finds it again)"
        ) from error


def test_every_reader_is_tried():
    tried = {sample.source_format for sample in samples().values()}
    assert set(READERS) - tried - {"arrays"} == UNTRIED  # arrays reads what ntu60-arrays reads


@every_sample
def test_what_is_whole_is_read(sample):
    assert judge(sample, sample.files[sample.damaged]) == "read"


@pytest.mark.parametrize("source_format", sorted(READERS.keys() - UNTRIED - {"arrays"}))
def test_a_frame_rate_is_taken_where_files_say_none_and_segments_are_told_in_seconds(
    source_format, tmp_path
):
    sample = next(one for one in samples().values() if one.source_format == source_format)
    for path, data in sample.files.items():
        (tmp_path / "in" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / path).write_bytes(data)
    options = {key: text.format(folder=tmp_path / "in") for key, text in sample.options.items()}
    reader, source = make_reader(source_format, **options), tmp_path / "in" / sample.source
    report = prepare(reader, source, tmp_path / "store", frame_rate=7.0, workers=1)
    store = ClipStore.open(report.store)
    rates = SAID.get(source_format, {7.0})
    assert set(store.column("frame_rate").tolist()) == rates
    timing = Timing.of(store, window=1.0, step=0.5)
    assert timing.unit == "s"
    assert set(timing.length.tolist()) == {round(rate) for rate in rates}


@every_sample
def test_what_is_damaged_is_read_whole_or_told(sample):
    fuzz(sample, SHORT, begin=0)


@pytest.mark.slow
@every_sample
def test_much_that_is_damaged_is_read_whole_or_told(sample):
    fuzz(sample, LONG, SEED)


@pytest.mark.parametrize(
    "case", sorted(CORPUS.glob("*/*")), ids=lambda case: f"{case.parent.name}/{case.name}"
)
def test_what_once_made_a_reader_fail_no_longer_does(case):
    judge(samples()[case.parent.name], case.read_bytes())
