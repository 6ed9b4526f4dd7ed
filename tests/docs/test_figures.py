"""The figures of the recipe, on the page, are those of its results files."""

import json
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
ROWS = {"nwucla": "| **NW-UCLA (`--mirror`), joint +", "utdmhad": "| **UTD-MHAD, joint +"}


@pytest.mark.parametrize("data", ROWS)
def test_the_recipes_table_says_what_its_results_files_say(data):
    page = (DOCS / "results.md").read_text().splitlines()
    (row,) = (line for line in page if line.startswith(ROWS[data]))
    told = [cell.strip() for cell in row.split("|")[2:5]]
    for seed, cell in enumerate(told):
        file = DOCS / "results" / "recipe" / f"{data}--{seed}.json"
        (found,) = json.loads(file.read_text())["evaluations"]
        assert found["kind"] == "ridge"
        figures = [f"{100 * test['sum']['top1']:.1f}" for test in found["metrics"].values()]
        assert cell == " / ".join(figures)
