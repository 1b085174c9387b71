"""Everything that `soc doctor` looks at, in this order; what cannot be looked at is an error, too."""

import os
from collections.abc import Callable, Iterable, Iterator
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
    yield from _guarded(packages.PACKAGE, packages.look_at_packages)
    yield from _guarded("ports", machine.look_at_ports)
    yield from _guarded("memory", lambda: [machine.look_at_memory()])
    yield from _guarded(machine.TEMPORARY, machine.look_at_temporary_files)
    overrides = sorted(name for name in os.environ if name.upper().startswith("SOC_"))
    if overrides:
        yield Verdict("overrides", ", ".join(overrides))
    yield from _guarded("soc.toml", lambda: _look_at_project(config))
    for attempt in sorted(attempts, key=lambda each: each.name == "torch"):  # which takes longest
        yield from _guarded(attempt.name, lambda attempt=attempt: [libraries.judge(attempt)])


def _guarded(subject: str, look: Callable[[], Iterable[Verdict]]) -> Iterator[Verdict]:
    """What a look finds; where it fails, that it does."""
    try:
        yield from look()
    except ImportError as error:
        cure = "Install the library that is named, or mend it as said here."
        yield Verdict(subject, f"cannot be looked at: {error}", "error", cure)
    except Exception as error:  # whatever is broken, the rest is still looked at
        yield Verdict(subject, f"cannot be looked at: {type(error).__name__}: {error}", "error", "Please report this.")


def _look_at_project(config: Path | None) -> Iterator[Verdict]:
    """The settings and the folders that they name."""
    from soc_assets.errors import SocError
    from soc_assets.project import is_url, load_project
    from soc_assets.settings.toml_file import find_config

    try:
        path = config or find_config()
        project = load_project(config)
    except SocError as error:
        yield Verdict("soc.toml", "cannot be used", "error", str(error))
        return
    if path:
        yield Verdict("soc.toml", str(path))
    else:
        cure = "`soc init` writes one; without it every setting has its default."
        yield Verdict("soc.toml", "none from here upwards", "ok", cure)
    tracked = [] if project.settings.tracking.server or is_url(project.settings.paths.mlruns) else [project.mlruns]
    home = ("DAGSTER_HOME" if os.environ.get("DAGSTER_HOME") else "Dagster's instance", project.dagster_home.absolute())
    yield from machine.look_at_folders([("data", project.own), *(("mlruns", each) for each in tracked), home])
