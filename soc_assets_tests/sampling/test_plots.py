import pandas as pd
import pytest

from soc_assets.sampling import plots
from soc_assets.sampling.prepare import prepare_samples
from soc_assets.settings import Sampling, Study

PNG = b"\x89PNG\r\n\x1a\n"


def joined(samples, grid, **settings):
    result = prepare_samples(samples, Study(), Sampling(**settings), grid, None, None)
    return result, result.balanced.merge(samples, on="sample_id")


@pytest.mark.parametrize("settings", [{}, {"bins": "width"}, {"balance": "weights"}])
def test_histogram_tells_the_tail_share_before_and_after(samples, grid, monkeypatch, settings):
    figures = []
    monkeypatch.setattr(plots, "to_png", lambda figure: figures.append(figure) or PNG)
    _, table = joined(samples, grid, **settings)
    plots.oc_before_after(table)
    legend = [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()]
    train = table[table["split"] == "train"]
    counted = train["multiplicity"] * train["weight"]
    tail = train["organic_carbon"] > 50
    assert f"{tail.mean():.1%} above 50 g/kg" in legend[0]
    assert f"{counted[tail].sum() / counted.sum():.1%} above 50 g/kg" in legend[1]


def test_pictures_are_png(samples, grid):
    result, table = joined(samples, grid)
    for png in (plots.oc_before_after(table), plots.split_map(table), plots.filter_counts(len(table), result.excluded)):
        assert png.startswith(PNG)


def test_pictures_survive_a_single_value_and_no_excluded_sample(samples, grid):
    _, table = joined(samples.assign(organic_carbon=0.0, year=pd.array([2015] * 600, dtype="Int32")), grid)
    assert plots.oc_before_after(table).startswith(PNG)
    assert plots.filter_counts(600, pd.DataFrame({"filter": []}, dtype="str")).startswith(PNG)
