"""What the rows of a table reveal together: horizons without a depth column, and years that contradict the dates."""

import numpy as np
import pandas as pd

_CAMPAIGNS = 0.1  # share of the dates that may be of the year beside, as where a campaign lasts into the next
_DEVIATIONS = 2.33  # beyond chance: one of a hundred tables would fall so


def falling_carbon(rows: pd.DataFrame) -> dict[str, str]:
    """What is to be said of each file whose rows without a depth look like horizons.

    Args:
        rows: [n] `file`, `row`, `id`, `place_key`, `survey_date`, `year`, `depth_text`, `organic_carbon` (g/kg).
    """
    kept = rows[(rows["depth_text"] == "") & rows["organic_carbon"].notna()].sort_values(["file", "row"], kind="stable")
    keys = [kept[name] for name in ("file", "id", "place_key", "survey_date", "year")]
    steps = kept["organic_carbon"].groupby(keys, dropna=False).diff()
    counts = pd.DataFrame({"fall": steps < 0, "rise": steps > 0}).groupby(kept["file"]).sum()
    several = (kept.groupby(keys, dropna=False)["row"].transform("size") > 1).groupby(kept["file"]).sum()
    result = {}
    for file, (fall, rise) in zip(counts.index, counts.to_numpy().tolist(), strict=True):
        if fall - rise > _DEVIATIONS * np.sqrt(fall + rise):
            result[str(file)] = (
                f"{several[file]} rows share id, place and day with others, and their organic carbon falls with the "
                f"order of the rows ({fall} times down, {rise} up): horizons whose depth is not read"
            )
    return result


def years_apart(rows: pd.DataFrame) -> dict[str, str]:
    """What is to be said of each file whose column of years is not that of its dates.

    A few dates of the year beside are those of a campaign that began earlier.

    Args:
        rows: [n] `file`, `row`, `survey_date`, `told_year`.
    """
    dated = rows[rows["survey_date"].notna() & rows["told_year"].notna()]
    years = dated["survey_date"].dt.year - dated["told_year"].astype("int64")
    notes = {}
    for file, apart in years.groupby(dated["file"]):
        wrong = apart[apart.abs() > (1 if (apart != 0).mean() <= _CAMPAIGNS else 0)]
        if len(wrong):
            first = dated.loc[wrong.index[0]]
            notes[str(file)] = (
                f"{len(wrong)} of {len(apart)} dates are of another year than the column of years says (first: row "
                f"{first['row']}, {first['survey_date']:%Y-%m-%d}, {first['told_year']}); the date counts"
            )
    return notes
