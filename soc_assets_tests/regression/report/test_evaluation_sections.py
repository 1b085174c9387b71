"""The report of an evaluation that was fitted: what a reviewer looks for is there, with the numbers of the tables."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.evaluation.interval_scores import interval_scores
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.report.evaluation_sections import evaluation_sections
from soc_assets.regression.report.interval_sections import intervals_section
from soc_assets.regression.report.methods import methods_section
from soc_assets.regression.report.model_sections import dependence_of, explanation_section, importance_of
from soc_assets.regression.report.page import html_report
from soc_assets.regression.report.place_sections import ceiling_section, folds_section, predictions_section
from soc_assets.regression.report.quarto import quarto_report
from soc_assets.regression.report.score_sections import failed_section, parts_section, summary_section, verdict_words
from soc_assets.regression.report.sections import Section, display, pictures, rounded
from soc_assets_tests.regression.report.conftest import TEST


class Page(HTMLParser):
    """Captions, alternative texts, headings, targets and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.alt, self.ids, self.links, self.heads, self.captions, self._in = [], set(), [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids |= {found["id"]} if "id" in found else set()
        self.alt += [found.get("alt")] if tag == "img" else []
        self.links += [found["href"]] if tag == "a" else []
        self._in = tag if tag in ("th", "h2", "figcaption") else self._in
        if tag == "figcaption":
            self.captions.append("")

    def handle_endtag(self, tag):
        self._in = "" if tag == self._in else self._in

    def handle_data(self, data):
        if self._in == "figcaption":
            self.captions[-1] += data
        elif self._in:
            self.heads.append((self._in, data))


@pytest.fixture(scope="module")
def sections(small):
    more = [Section("Learning curve", ["More samples would help."])]
    return evaluation_sections(small.results, small.facts, more)


@pytest.fixture(scope="module")
def text(sections):
    return html_report("Evaluation", sections, "30 November 2026")


def test_captions_count_without_gaps_and_every_picture_has_its_alternative_text(sections, text):
    page = Page(text)
    for kind in ("Figure", "Table"):
        numbers = [int(found[1]) for caption in page.captions if (found := re.match(rf"{kind} (\d+)\. \S", caption))]
        assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 7
    assert len(page.alt) == len(pictures(sections)) >= 12
    assert all(alt and len(alt) > 20 for alt in page.alt)
    assert {link.removeprefix("#") for link in page.links} <= page.ids
    assert "http://" not in text and "https://" not in text and "<script" not in text


def test_columns_and_headings_are_words(text):
    heads = Page(text).heads
    columns = {name for tag, name in heads if tag == "th"}
    assert {"Model", "R2", "95 % interval", "RMSE, g/kg", "Bias, g/kg", "Coverage"} <= columns
    assert not [name for name in columns if "_" in name]
    titles = [name for tag, name in heads if tag == "h2"]
    assert titles[:4] == ["Summary", "Methods", "Scores", "The ceiling of R2"]
    assert "Learning curve" in titles and "Failed fits" not in titles and "Map" not in titles


def test_methods_count_what_is_scored(small, text):
    scored = 280 - TEST
    assert f"{scored} of 280 are scored; the {TEST} of the test split are not used." in text
    assert f"spatial blocks (3 folds, n = {scored})" in text and "squares of 25,000 m" in text
    assert "100 bootstrap draws of blocks (spatial blocks)" in text
    whole = replace(small.facts, samples=small.design.samples.assign(split="train"))
    whole = replace(whole, schemes=tuple(replace(each, samples=280) for each in whole.schemes))
    page = html_report("Evaluation", [methods_section(whole)])
    assert "All 280 are scored." in page and "test split are" not in page
    assert "Commit of the project" not in text  # it is in no work tree


@pytest.mark.parametrize(("sill", "shown"), [(0.0, False), (0.9, False), (1.1, True)])
def test_range_of_a_variogram_without_a_sill_is_not_printed(small, sill, shown):
    found = small.results.ceiling
    sums, model = found.variograms["g/kg"]
    flat = replace(model, nugget=100 - sill, partial_sill=sill)
    ceiling = replace(found, variograms={"g/kg": (sums, flat)})
    [figure] = ceiling_section(replace(small.results, ceiling=ceiling)).figures
    assert (", range" in figure.caption) == shown


def test_main_table_has_the_numbers_of_the_leaderboard(small, sections):
    board = small.results.board("block")
    scores = next(part for part in sections if part.title == "Scores")
    shown = display(scores.tables[0].rows)
    assert shown["R2"].tolist() == [rounded(value) for value in board["r2"]]
    ends = zip(board["r2_low"], board["r2_high"], strict=True)
    assert shown["95 % interval"].tolist() == [f"{rounded(low)} to {rounded(high)}" for low, high in ends]
    assert {"Chosen recipe", "Ridge regression\u00a0*", "Mean of the training samples\u00a0*"} <= set(shown["Model"])
    robust = display(scores.tables[1].rows)
    assert robust["Median absolute error, g/kg"].tolist() == display(board[["medae"]])["medae"].tolist()
    assert f"n = {280 - TEST}" in scores.tables[0].caption


def test_both_renderings_have_the_same_numbers_captions_and_pictures(sections, text):
    source = quarto_report("Evaluation", sections, "30 November 2026")
    numbers = re.compile(r"(?<![\w.,])-?\d+(?:[.,]\d+)*(?![\w])")
    cells = [cell for part in sections for table in part.tables for cell in display(table.rows).to_numpy().ravel()]
    of_cells = sorted(number for cell in cells for number in numbers.findall(cell))
    in_page = sorted(n for cell in re.findall(r"<td[^>]*>([^<]*)</td>", text) for n in numbers.findall(cell))
    rows = [line for line in source.splitlines() if line.startswith("| ")]
    heads = [rows[at - 1] for at in range(1, len(rows))]
    in_source = sorted(
        n
        for before, line in zip(["", *source.splitlines()], source.splitlines(), strict=False)
        if line.startswith("| ") and before.startswith("|")
        for n in numbers.findall(line.replace("\\", ""))
    )
    assert heads and of_cells == in_page == in_source
    names = re.findall(r"\(figures/(\w+)\.png\)", source)
    assert names == list(pictures(sections))
    labels = re.findall(r"#(fig|tbl)-(\d+)", source)
    for kind, word in (("fig", "Figure"), ("tbl", "Table")):
        found = [int(number) for each, number in labels if each == kind]
        assert found == list(range(1, len(found) + 1)) and f"<b>{word} {found[-1]}.</b>" in text
        assert f"<b>{word} {found[-1] + 1}.</b>" not in text


def test_r2_stands_beside_its_ceiling(small, text):
    words = small.results.ceiling.words
    assert re.search(
        r"R2 of the best model is 0\.\d\d of at most \d\.\d\d to \d\.\d\d: samples with equal covariates", words
    )
    assert text.count(words) == 2  # in the summary, and with its table
    assert "Nugget of the residuals" in text and "Semivariogram of the out-of-fold residuals" in text


def test_summary_ends_with_the_recipe_to_train(small):
    words = "Best by block: ridge on point (R2 0.9). To train it: ..."
    assert summary_section(replace(small.results, next_model=words)).paragraphs[-1] == words
    assert words not in summary_section(small.results).paragraphs


def test_bands_have_their_labels_in_what_is_said_of_importance(small):
    groups = importance_of(small.results.done).query("kind == 'band'").sort_values("permuted")["group"]
    labelled = replace(small.results, labels={band: f"Label of {band}" for band in groups})
    alternatives = [alt for figure in explanation_section(labelled).figures for _, alt in figure.panels]
    assert any(f"the most important is Label of {groups.iloc[-1]}." in alt for alt in alternatives)


def test_sections_without_data_are_left_out(small):
    table = small.table[~small.table["metric"].isin(["coverage", "width"])]
    done = [item for item in small.done if item.fit.model == "mean"]
    nothing = replace(small.results, models=[], table=table, done=done, ceiling=None)
    for section in (intervals_section, explanation_section, ceiling_section, folds_section, failed_section):
        assert not section(nothing), section.__name__
    lost = {"block": replace(small.results.verdicts["block"], best=None, baseline=None)}
    assert not predictions_section(replace(small.results, verdicts=lost))
    assert not parts_section(replace(small.results, table=table[table["scope"] == "pooled"]))


def test_failed_fits_are_named_with_their_reason(small):
    broken = [replace(found, failed=2, errors=("it diverged",)) for found in small.results.models[:1]]
    [table] = failed_section(replace(small.results, models=broken)).tables
    assert table.rows.to_numpy().tolist() == [["Mean of the training samples", "spatial blocks", 2, "it diverged"]]


def test_verdict_says_who_wins_in_words(small):
    results = small.results
    said = verdict_words(results.verdicts["block"], results, "block")
    assert said.startswith(
        (
            "With spatial blocks, the best model is Chosen recipe (R2 ",
            "A baseline wins with",
            "A baseline leads, within",
        )
    )
    found = results.verdicts["block"]
    assert found.baseline is not None and found.difference is not None
    lost = replace(found, difference=replace(found.difference, value=-0.02, low=-0.05, high=0.01))
    assert verdict_words(lost, results, "block").startswith(
        "A baseline leads, within the interval, with spatial blocks: Ridge regression on"
    )
    sure = replace(found, difference=replace(found.difference, value=-0.02, low=-0.05, high=-0.01))
    assert verdict_words(sure, results, "block").startswith("A baseline wins with spatial blocks: Ridge regression on")
    assert lost.baseline_wins and sure.baseline_wins
    assert "by 0.020 (95 % interval of the paired difference -0.010 to 0.050)" in verdict_words(lost, results, "block")
    won = replace(found, difference=replace(found.difference, value=0.02, low=0.01, high=0.05))
    words = verdict_words(won, results, "block")
    assert (
        "the best model is Chosen recipe" in words
        and "by 0.020" in words
        and words.endswith("; the interval excludes 0.")
    )
    alone = verdict_words(replace(found, best=None, difference=None), results, "block")
    assert alone.endswith("is the best baseline; no other model could be fitted in every fold.")
    assert verdict_words(replace(found, best=None, baseline=None, difference=None), results, "block").startswith("With")


def test_partial_dependence_is_that_of_the_folds_and_comes_back_from_disk(small):
    best = small.results.best()
    assert isinstance(best, OutOfFold)
    curves = dependence_of(small.done, best)
    fits = [item.result.dependence for item in small.done if (item.fit.model, item.fit.features) == best.key[1:]]
    assert len(fits) == 3
    first = [frame[(frame["band"] == "Elevation")].reset_index(drop=True) for frame in fits]
    expected = np.mean([frame["predicted"] for frame in first], axis=0)
    found = curves[curves["band"] == "Elevation"]
    np.testing.assert_allclose(found["predicted"], expected)
    assert (found["lowest"] <= found["predicted"]).all() and (found["predicted"] <= found["highest"]).all()
    assert found["predicted"].iloc[-1] > 1.5 * found["predicted"].iloc[0]  # as the samples were made
    lags = curves.loc[curves["band"] == "LAI", "lag"]
    assert sorted(lags.unique()) in ([0.0], [0.0, 1.0])
    old = [replace(item, result=replace(item.result, dependence=pd.DataFrame())) for item in small.done]
    assert dependence_of(old, best).empty


def test_importance_is_pooled_over_the_folds(small):
    band = importance_of(small.done).query("kind == 'band'").set_index("group")["permuted"]
    assert band["Elevation"] > 0


def test_intervals_are_shown_by_stratum_and_region(small, sections):
    part = next(part for part in sections if part.title == "Prediction intervals")
    rows = part.tables[0].rows
    assert {"All samples", "15-30 g/kg", "west", "east"} <= set(rows["Part"])
    every = interval_scores(small.table, "block")
    assert len(rows) == len(every)
    assert len(part.figures[0].panels) == 2 and "nominal coverage of 90 %" in part.figures[0].caption
