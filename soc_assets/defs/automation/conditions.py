"""Automation conditions: `features` and `mlp_model` follow when the last batch is done, not after each."""

from typing import Any

import dagster as dg

from soc_assets.defs.resources import ProjectResource
from soc_assets.embedding.inputs import known_embeddings
from soc_assets.errors import SocError


class BatchesDone(dg.AutomationCondition):
    """True when every batch is fresh by its digest; the daemon asks only when something else would be due."""

    def __init__(self, project: ProjectResource) -> None:
        self._project = project

    @property
    def name(self) -> str:
        """Shown in the UI."""
        return "every batch is fresh"

    def evaluate(self, context: Any) -> dg.AutomationResult:
        """Read the digests of the batches' files."""
        nothing = context.get_empty_subset()
        asked = not context.candidate_subset.is_empty and self._every_batch_is_fresh()
        return dg.AutomationResult(context, true_subset=context.candidate_subset if asked else nothing)

    def _every_batch_is_fresh(self) -> bool:
        try:
            inputs = known_embeddings(self._project.load())
        except SocError:
            return False
        return inputs is not None and bool(inputs.keys) and set(inputs.states().values()) == {"fresh"}


def after_the_last_batch(project: ProjectResource) -> dg.AutomationCondition:
    """Something upstream was updated since the last time, nothing upstream is in progress, and every batch is fresh."""
    condition = dg.AutomationCondition
    updated = (condition.newly_missing() | condition.any_deps_updated()).since_last_handled()
    quiet = ~condition.any_deps_in_progress() & ~condition.in_progress()
    return (updated & quiet & BatchesDone(project)).with_label("something changed, and every batch is done")
