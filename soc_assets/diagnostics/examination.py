"""Everything that `soc doctor` looks at, in the order in which it is shown."""

import os
from collections.abc import Iterator
from pathlib import Path

from soc_assets.diagnostics import libraries, machine, packages
from soc_assets.diagnostics.verdict import Verdict


def examine(config: Path | None = None) -> Iterator[Verdict]:
    """One verdict after another; nothing is changed.

    Args:
        config: a soc.toml; None looks for it as every command does.
    """
    attempts = libraries.begin()
    yield packages.look_at_python()
    yield from packages.look_at_packages()
    yield from machine.look_at_ports()
    yield machine.look_at_memory()
    broken = False
    for attempt in sorted(attempts, key=lambda each: each.name == "torch"):  # which takes longest
        verdict = libraries.judge(attempt)
        broken = broken or verdict.state == "error"
        yield verdict
    yield from _project(config, broken)


def _project(config: Path | None, broken: bool) -> Iterator[Verdict]:
    """The settings, what overrides them, and the folders that they name."""
    overrides = sorted(name for name in os.environ if name.upper().startswith("SOC_"))
    if overrides:
        yield Verdict("overrides", ", ".join(overrides))
    if broken:
        yield Verdict("soc.toml", "not read: it needs the libraries above", "warning", "Mend those first.")
        return
    from soc_assets.errors import SocError
    from soc_assets.project import is_url, load_project

    try:
        project = load_project(config)
    except SocError as error:
        yield Verdict("soc.toml", "cannot be used", "error", str(error))
        return
    there = (project.root / "soc.toml").is_file()
    cure = "" if there else "`soc init` writes one; without it every setting has its default."
    yield Verdict("soc.toml", f"in {project.root}" if there else "none from here upwards", "ok", cure)
    tracked = [] if project.settings.tracking.server or is_url(project.settings.paths.mlruns) else [project.mlruns]
    home = ("DAGSTER_HOME" if os.environ.get("DAGSTER_HOME") else "Dagster's instance", project.dagster_home.absolute())
    yield from machine.look_at_folders([("data", project.data), *(("mlruns", each) for each in tracked), home])
