"""Damages files so as to reach code that none has reached yet, and keeps what a reader fails on.

`python tests/fuzz/guided.py READER --seconds 60` tries one reader; `--help` lists them. Each run
draws other files, from a seed that it prints and `--seed` takes. What it finds lies in
`tests/fuzz/corpus` afterwards, where the tests try it again.
"""

import argparse
import hashlib
import importlib
import multiprocessing
import pkgutil
import random
import re
import secrets
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from damage import damaged

importlib.import_module("conftest")  # as pytest does by itself

try:
    import atheris
except ImportError:
    sys.exit("this needs atheris: pip install atheris (wheels for Linux on x86-64 only)")

# numba compiles no code that has been made to count its branches
COMPILED = ["crosscale.readers.datasets.skeleton_scan"]
with atheris.instrument_imports(include=["crosscale", "c3d"], exclude=COMPILED):
    from judge import Fault, judge
    from samples import Sample, samples

    from crosscale import readers

    for module in pkgutil.walk_packages(readers.__path__, f"{readers.__name__}."):
        importlib.import_module(module.name)

CORPUS = Path(__file__).parent / "corpus"
FORK = multiprocessing.get_context("fork")
BLINDLY = 0.3  # the part of the inputs that libFuzzer changes, as any bytes
# What opens these ends the whole process on some damage, or runs what a pickle asks for.
FRAGILE = {".h5", ".mat", ".parquet", ".pkl"}
# A hang in compiled code and memory that is never given back end the process.
LIMITS = ["-timeout=20", "-rss_limit_mb=4096", f"-max_len={1 << 18}"]


def fuzz(sample: Sample, seconds: int, seed: int, seeds: str, kept: Path) -> None:
    """Try inputs for so many seconds, then end the process; one of each fault stays in `kept`."""
    faults: set[str] = set()

    def try_one(content: bytes) -> None:
        try:
            judge(sample, content)
        except Fault as fault:
            kind = re.sub(r"\d+", "0", str(fault))
            if kind not in faults:
                faults.add(kind)
                keep(content, fault)

    def keep(content: bytes, fault: Fault) -> None:
        name = hashlib.sha256(content).hexdigest()[:12] + sample.ending
        (kept / name).write_bytes(content)
        print(f"{kept / name}: {fault}", flush=True)

    def change(content: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        if draw.random() < BLINDLY:
            return atheris.Mutate(content, most)
        known = sample.ending not in FRAGILE or content == whole
        if not known and draw.random() < BLINDLY:
            content, known = whole, True
        # what is damaged too much already cannot be changed with knowledge of its form
        with suppress(Exception):
            return damaged(content, sample.ending if known else "", draw)[:most]
        return atheris.Mutate(content, most)

    whole = sample.files[sample.damaged]
    kept.mkdir(parents=True, exist_ok=True)
    (Path(seeds) / "whole").write_bytes(whole)
    ends = [f"-max_total_time={seconds}", f"-artifact_prefix={kept}/", "-print_final_stats=1"]
    arguments = [sys.argv[0], f"-seed={seed}", "-verbosity=0", *ends, *LIMITS, seeds]
    atheris.Setup(arguments, try_one, custom_mutator=change)
    atheris.Fuzz()


def main() -> int:
    """Try the samples of a reader, each in a process of its own, since libFuzzer ends it."""
    of_reader: dict[str, list[Sample]] = {}
    for sample in samples().values():
        of_reader.setdefault(sample.source_format or sample.name, []).append(sample)
    parser = argparse.ArgumentParser(description=__doc__)
    names = ", ".join(sorted(of_reader))
    parser.add_argument("reader", choices=of_reader, help=names, metavar="READER")
    parser.add_argument("--seconds", type=int, default=60, help="for all samples of the reader")
    parser.add_argument("--seed", type=int, default=1 + secrets.randbelow(2**31), help="to repeat")
    asked = parser.parse_args()
    print(f"--seed {asked.seed}", flush=True)
    before = set(CORPUS.glob("*/*"))
    chosen = of_reader[asked.reader]
    for sample in chosen:
        kept = CORPUS / sample.name
        share = max(1, asked.seconds // len(chosen))
        with tempfile.TemporaryDirectory() as seeds:
            child = FORK.Process(target=fuzz, args=(sample, share, asked.seed, seeds, kept))
            child.start()
            child.join()
        with suppress(OSError):  # holds something
            kept.rmdir()
    return int(bool(set(CORPUS.glob("*/*")) - before))


if __name__ == "__main__":
    sys.exit(main())
