"""Whether the place or the covariates carry the scores of a scheme: the best models with and without each, compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from soc_assets.regression.evaluation.bootstrap import Difference
from soc_assets.regression.evaluation.scoring import OutOfFold
from soc_assets.regression.models.recipes import CHOSEN, MEAN

_PLACE = "coordinates"


@dataclass(frozen=True)
class Carried:
    """The best model of the place alone, of covariates alone, and of both, if there is one.

    Attributes:
        place: knows only where a sample is.
        covariates: does not know where it is.
        both: knows both; None where no such model was compared.
        ahead: R2 of covariates minus that of the place, paired.
        added: R2 of both minus that of covariates, paired.
    """

    place: OutOfFold
    covariates: OutOfFold
    both: OutOfFold | None
    ahead: Difference
    added: Difference | None

    def words(self, folds: str, name: Callable[[OutOfFold], str]) -> str:
        """Sentences; `folds` says under which they hold (`Under block folds`), `name` gives a model with its score."""
        together = f", of both {name(self.both)}" if self.both else ""
        if self.ahead.better:
            verdict = "Covariates carry the score"
        elif self.ahead.worse:
            verdict = "Space carries the score"
        else:
            verdict = "Neither covariates nor space is surely ahead"
        more = f"; space adds {_signed(self.added)} to covariates" if self.added else ""
        return (
            f"{folds} the best model of the place alone is {name(self.place)}, of covariates alone "
            f"{name(self.covariates)}{together}. "
            f"{verdict}: covariates less place {_signed(self.ahead)}{more}."
        )


def find_carried(
    in_order: Sequence[OutOfFold], compare: Callable[[OutOfFold, OutOfFold], Difference]
) -> Carried | None:
    """Compare the best models of each kind.

    Args:
        in_order: models of a scheme, the best first; a recipe chosen inside the folds is of no kind.
        compare: the paired difference of R2 of two models.

    Returns:
        None where no model of the place, or none of covariates, was compared.
    """
    kinds: dict[str, OutOfFold] = {}
    for found in in_order:
        names = set(found.features.split("+"))
        if found.model in (MEAN.name, CHOSEN):
            continue
        kind = "covariates" if _PLACE not in names else "place" if names == {_PLACE} else "both"
        kinds.setdefault(kind, found)
    if "place" not in kinds or "covariates" not in kinds:
        return None
    place, covariates, both = kinds["place"], kinds["covariates"], kinds.get("both")
    added = compare(both, covariates) if both else None
    return Carried(place, covariates, both, compare(covariates, place), added)


def _signed(found: Difference) -> str:
    return f"{found.value:+.3f} (95 % interval {found.low:+.3f} to {found.high:+.3f})"
