"""The report of an evaluation, section by section, in the order in which it is read."""

from collections.abc import Sequence

from soc_assets.regression.report.facts import Facts
from soc_assets.regression.report.interval_sections import intervals_section
from soc_assets.regression.report.methods import methods_section, provenance_section
from soc_assets.regression.report.model_sections import explanation_section
from soc_assets.regression.report.place_sections import ceiling_section, folds_section, predictions_section
from soc_assets.regression.report.results import Results
from soc_assets.regression.report.score_sections import failed_section, parts_section, scores_section, summary_section
from soc_assets.regression.report.sections import Section


def evaluation_sections(results: Results, facts: Facts | None = None, more: Sequence[Section] = ()) -> list[Section]:
    """Every section; one that has no data is empty, and the renderers leave it out.

    Args:
        results: of the evaluation.
        facts: for methods, software and data; None leaves them out.
        more: further sections, before those on folds and on software.
    """
    return [
        summary_section(results),
        *([methods_section(facts)] if facts else []),
        scores_section(results),
        ceiling_section(results),
        predictions_section(results),
        parts_section(results),
        intervals_section(results),
        explanation_section(results),
        *more,
        folds_section(results),
        failed_section(results),
        *([provenance_section(facts)] if facts else []),
    ]
