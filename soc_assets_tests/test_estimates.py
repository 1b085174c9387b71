"""The arithmetic of docs/scaling.md: the page has the tables that the benchmark prints, and they are right."""

from pathlib import Path

import pytest

from benchmarks import estimates
from soc_assets.settings.study import Sampling

PAGE = Path(__file__).parents[1] / "docs/scaling.md"


@pytest.mark.parametrize("table", [estimates.points, estimates.granularity, estimates.maps])
def test_page_has_the_table(table):
    assert "\n".join(table()) in PAGE.read_text(encoding="utf-8")


def test_figures_that_can_be_done_by_hand():
    assert estimates.size(10**6 * 26 * 768 * 4) == "80 GB"
    assert estimates.time(26e6 / 9550) == "45 min"  # 2,723 s
    assert estimates.spent(2_600_000_000 / 9550, 41.61 / 8) == "3.2 days, $393"  # 75.6 h at $5.20
    assert estimates.number(10.2e6 / 0.0625) == "163.2 million"
    batches = [line.split(" | ")[1:3] for line in estimates.granularity()][2:]
    assert [int(n.replace(",", "")) for _, n in batches] == [3_907, 390_625, 24_415, 12_208]
    assert batches[0][0] == str(Sampling().batch_size), "the first row is the default"


def test_times_and_sizes_change_their_units_where_they_should():
    assert [estimates.time(value) for value in (59, 61, 3_600, 86_400, 172_800)] == [
        "59 s", "1 min", "1 h", "24 h", "2 days",
    ]  # fmt: skip
    assert [estimates.size(value) for value in (5_000, 1.5e6, 12e6, 1e9, 8e12)] == [
        "5 kB", "1.5 MB", "12 MB", "1 GB", "8 TB",
    ]  # fmt: skip
