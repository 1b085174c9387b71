"""The highest one per cent of the observations, and scores without them."""

import numpy as np
import pandas as pd
import pytest

from soc_assets.regression.evaluation.highest import highest, highest_values
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.metrics import r_squared


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        ([], []),
        ([1.0], [True]),
        (list(range(100)), [False] * 99 + [True]),
        (list(range(101)), [False] * 99 + [True] * 2),
        ([5.0] * 3 + [1.0] * 97, [True] * 3 + [False] * 97),
        ([2.0] * 10, [True] * 10),
    ],
)
def test_highest_one_per_cent_is_rounded_up_and_has_all_ties(observed, expected):
    assert highest(np.array(observed)).tolist() == expected


def test_scores_without_the_highest_values():
    observed = np.array([*range(1, 100), 400.0])
    predicted = observed + np.where(observed == 400, -200, np.where(observed % 2, 2.0, -2.0))
    rows = pd.DataFrame({"observed": observed, "predicted": predicted, "fold": 0})
    failed = OutOfFold("block", "failed", "point", rows, 1, (), 0.0)
    table = highest_values([failed, OutOfFold("block", "a", "point", rows, 0, (), 0.0)])
    [line] = table.to_dict("records")
    assert (line["model"], line["n"], line["highest"], line["from_value"]) == ("a", 100, 1, 400.0)
    assert line["error_share"] == pytest.approx(200**2 / (200**2 + 99 * 4))
    assert line["rmse_without"] == pytest.approx(2)
    assert (line["medae"], line["medae_without"]) == (2.0, 2.0)
    assert line["r2_without"] == pytest.approx(r_squared(observed[:-1], predicted[:-1]))
    assert line["bias"] == pytest.approx((2 - 200) / 100)  # 50 odd, 49 even
