import csv
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

from crosscale.evaluation.comparison.page import html, markdown, table_csv, write_tables
from crosscale.evaluation.comparison.plan import read_plan
from crosscale.evaluation.comparison.results import Judged, Result
from crosscale.evaluation.comparison.table import compare, difference

ACCURACY = {  # by method, then by seed: joint, sum
    "one": {0: (0.50, None), 1: (0.54, None), 2: (0.52, None)},
    "two": {0: (0.40, 0.60), 1: (0.41, 0.62), 2: (0.42, 0.67)},
}


@pytest.fixture
def comparison(write_plan):
    """Two methods on two data sets, the second of them finished for one seed only."""

    def make(seeds=(0, 1, 2), left_out=0):
        plan = read_plan(
            write_plan(
                data={"synthetic": {"store": "a"}, "nwucla": {"store": "b"}},
                methods={"one": "skeletonclr", "two": "crosscale"},
                seeds=list(seeds),
                evaluations=["linear", "retrieval"],
                against="one",
            )
        )
        done = [c for c in plan.cells if c.data == "synthetic" or c.seed == 0]
        results = {cell: result(cell, plan) for cell in done[left_out:]}
        return compare(plan, results, done[:left_out])

    return make


def result(cell, plan):
    joint, both = ACCURACY[cell.method][cell.seed]
    streams = {"joint": joint} if both is None else {"joint": joint, "sum": both}
    tests = {"official": streams, "leak_free": {name: v - 0.1 for name, v in streams.items()}}
    headline = "joint" if both is None else "sum"
    evaluations = {
        label: Judged(judge.config, headline, tests, tests if label == "retrieval" else {})
        for label, judge in plan.judges.items()
    }
    costs = {"seconds": 90.0, "evaluation_seconds": 1.0, "clips_per_second": 10.0}
    made = {"recipe": {}, "store": "", "version": "0.1.0", "commit": "abc", "parameters": 1234}
    return Result(cell.data, cell.method, cell.seed, evaluations=evaluations, **made, **costs)


def rows(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]


def test_a_row_is_a_method_and_a_column_a_data_set_test_and_evaluation(comparison):
    head, _, one, two = rows(markdown(comparison()))[:4]
    assert head[:7] == [
        "method",
        "synthetic official linear",
        "synthetic official retrieval top-1",
        "synthetic official retrieval mAP",
        "synthetic leak-free linear",
        "synthetic leak-free retrieval top-1",
        "synthetic leak-free retrieval mAP",
    ]
    assert head[-4:] == [
        "synthetic minutes",
        "synthetic parameters",
        "nwucla minutes",
        "nwucla parameters",
    ]
    assert one[:2] == ["one", "52.0 ± 2.0 (3)"]
    assert two[1] == "63.0 ± 3.6 (3)"  # the sum of its streams
    assert two[7] == "60.0 (1)"  # one seed has no spread
    assert two[-2:] == ["1.5", "1,234"]


def test_a_difference_is_that_of_a_paired_t_test_over_seeds(comparison):
    found = comparison()
    column = found.columns[0]
    apart = found.differences["two", column]
    two, one = [0.60, 0.62, 0.67], [0.50, 0.54, 0.52]
    expected = stats.ttest_1samp(np.subtract(two, one), 0)
    assert apart.p == pytest.approx(expected.pvalue)
    assert apart.mean == pytest.approx(0.11)
    assert apart.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    line = next(line for line in markdown(found).splitlines() if "two | +11.0" in line)
    assert line.startswith(
        f"| synthetic official linear | two | +11.0 | {100 * apart.interval[0]:+.1f}"
    )
    assert not any(method == "one" for method, _ in found.differences)


def test_seeds_that_only_one_method_has_do_not_count():
    apart = difference({0: 0.5, 1: 0.6, 2: 0.9}, {0: 0.4, 1: 0.3, 5: 0.9})
    assert (apart.seeds, apart.mean) == (2, pytest.approx(0.2))
    assert difference({0: 0.5}, {1: 0.5}) is None


def test_one_common_seed_is_no_test(comparison):
    apart = difference({0: 0.5, 1: 0.6}, {0: 0.4})
    assert (apart.p, apart.interval, apart.no_test) == (None, None, "one seed: no test")
    assert "+10.0 | one seed: no test | – | 1 |" in markdown(comparison())


def test_the_best_method_may_be_the_worse_one_on_the_seeds_of_both(comparison, monkeypatch):
    plan = comparison().plan
    monkeypatch.setitem(ACCURACY, "one", {0: (0.7, None), 1: (0.1, None), 2: (0.1, None)})
    done = [cell for cell in plan.cells if cell.method == "one" or cell.seed == 0]
    page = html(compare(plan, {cell: result(cell, plan) for cell in done}, []))
    assert "two is best with 60.0, -10.0 points from one" in page


def test_differences_all_alike_are_no_test():
    apart = difference({0: 0.5, 1: 0.6}, {0: 0.4, 1: 0.5})
    assert (apart.p, apart.no_test) == (None, "the same for all seeds: no test")


def test_the_table_says_how_many_tests_were_made(comparison):
    assert "6 tests were made and p is not corrected" in markdown(comparison())


def test_absent_cells_and_those_of_other_settings_are_named(comparison):
    text = markdown(comparison(left_out=1))
    assert "7 of 12 cells are finished." in text
    assert "settings than the plan's: synthetic, one, seed 0." in text


def test_the_csv_has_a_row_for_every_stream_with_shares_of_one(comparison):
    found = list(csv.DictReader(io.StringIO(table_csv(comparison()))))
    two = [r for r in found if (r["method"], r["data"]) == ("two", "synthetic")]
    official = [r for r in two if (r["test"], r["measure"]) == ("official", "linear")]
    joint, both = official
    assert (joint["stream"], both["stream"]) == ("joint", "sum")
    assert float(joint["mean"]) == pytest.approx(0.41)
    assert float(both["deviation"]) == pytest.approx(np.std([0.60, 0.62, 0.67], ddof=1))
    assert (both["against"], float(both["difference"])) == ("one", pytest.approx(0.11))
    assert joint["against"] == ""


class Page(HTMLParser):
    """Links, open tags that never close, and the width of every row of a page's tables."""

    VOID = frozenset({"meta", "img"})

    def __init__(self, source):
        super().__init__()
        self.links, self.open, self.widths, self.words = [], [], [], []
        self.feed(source)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.links += [given[name] for name in ("src", "href") if name in given]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.widths.append([])
        if tag == "tr":
            self.widths[-1].append(0)
        if tag in ("td", "th"):
            self.widths[-1][-1] += int(given.get("colspan", 1))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_whole_needs_nothing_and_shows_what_the_markdown_shows(comparison):
    found = comparison()
    page = Page(html(found))
    assert page.open == []
    assert [link[:26] for link in page.links] == ["data:image/svg+xml;base64,"]
    assert all(len(set(widths)) == 1 for widths in page.widths)  # no row is short of a cell
    for row in rows(markdown(found))[2:4]:
        for cell in row:
            assert cell in page.text
    assert "results made by abc" in page.text
    assert "Leak-free leaves out" in page.text


def test_without_anyone_to_compare_with_there_are_no_differences(write_plan):
    plan = read_plan(write_plan(against=None))
    page = html(compare(plan, {}, []))
    assert "Differences" not in page
    assert "0 of 4 cells are finished." in page


def test_three_files_are_written(comparison, tmp_path):
    written = write_tables(comparison(), tmp_path / "out")
    assert [path.name for path in written] == ["table.md", "table.csv", "table.html"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in written
    )
