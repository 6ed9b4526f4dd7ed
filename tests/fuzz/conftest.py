"""Puts on the path what makes the files of the readers' own tests; the samples are made of it."""

import sys
from pathlib import Path

for folder in ("data", "data/readers"):
    sys.path.append(str(Path(__file__).parents[1] / folder))
