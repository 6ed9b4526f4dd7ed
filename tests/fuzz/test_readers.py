"""Whatever a file holds, its reader gives whole clips, or one line that names the file.

`CROSSCALE_FUZZ=10000 pytest -m slow tests/fuzz` tries as many damaged files of each kind.
"""

import os
from pathlib import Path

import pytest
from damage import damaged
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judge import Fault, judge
from samples import Sample, samples

from crosscale.readers import READERS

CORPUS = Path(__file__).parent / "corpus"
SHORT, LONG = 40, int(os.environ.get("CROSSCALE_FUZZ", "500"))
# Needs networks and pictures; what it finds in these is the business of the libraries it asks.
UNTRIED = {"video"}

every_sample = pytest.mark.parametrize("sample", samples().values(), ids=list(samples()))


def fuzz(sample: Sample, inputs: int, found: Path) -> None:
    """Try damaged files of a sample; of a fault the smallest draw stays in `found`."""
    whole = sample.files[sample.damaged]

    @settings(
        max_examples=inputs,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def try_one(draw):
        content = damaged(whole, sample.ending, draw)
        try:
            judge(sample, content)
        except Fault as fault:
            kept = found / f"found{sample.ending}"
            kept.write_bytes(content)
            raise AssertionError(f"{fault} (keep {kept} in {CORPUS / sample.name})") from fault

    try_one()


def test_every_reader_is_tried():
    tried = {sample.source_format for sample in samples().values()}
    assert set(READERS) - tried - {"arrays"} == UNTRIED  # arrays reads what ntu60-arrays reads


@every_sample
def test_what_is_whole_is_read(sample):
    assert judge(sample, sample.files[sample.damaged]) == "read"


@every_sample
def test_what_is_damaged_is_read_whole_or_told(sample, tmp_path):
    fuzz(sample, SHORT, tmp_path)


@pytest.mark.slow
@every_sample
def test_much_that_is_damaged_is_read_whole_or_told(sample, tmp_path):
    fuzz(sample, LONG, tmp_path)


@pytest.mark.parametrize(
    "case", sorted(CORPUS.glob("*/*")), ids=lambda case: f"{case.parent.name}/{case.name}"
)
def test_what_once_made_a_reader_fail_no_longer_does(case):
    judge(samples()[case.parent.name], case.read_bytes())
