"""The installed packages: whether each is there, in a version that all others that need it accept.

What may not be installed together is what the packages themselves say: their requirements, followed from those of
soc-assets. pip does not look at them again when it installs something else later.
"""

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from soc_assets.diagnostics.verdict import Verdict

PACKAGE = "soc-assets"
_SHOWN = ("dagster", "duckdb", "mlflow", "numpy", "pandas", "pyarrow", "scikit-learn", "timm")


def look_at_python() -> Verdict:
    """The interpreter and the system."""
    environment = sys.prefix if sys.prefix != sys.base_prefix else "no virtual environment"
    return Verdict("Python", f"{platform.python_version()} ({environment}), {platform.platform()}")


def look_at_packages(package: str = PACKAGE) -> list[Verdict]:
    """Versions that a bug report needs, and an error for each requirement that is not met."""
    versions, unmet = follow_requirements(package)
    shown = [f"{name} {versions[name]}" for name in _SHOWN if name in versions]
    return [
        Verdict(package, f"{metadata.version(package)}, {len(versions)} packages: {', '.join(shown)}"),
        *(_unmet(owner, requirement) for owner, requirement in unmet),
    ]


def follow_requirements(package: str) -> tuple[dict[str, str], list[tuple[str, Requirement]]]:
    """Versions of the packages that one needs, directly or not, and the requirements that are not met, by owner."""
    versions: dict[str, str] = {}
    unmet: list[tuple[str, Requirement]] = []
    waiting: list[tuple[str, str]] = [(package, "")]  # names, each with an extra or without
    followed = set(waiting)
    while waiting:
        owner, extra = waiting.pop()
        for requirement in _requirements(owner, extra):
            name = requirement.name.lower()
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                unmet.append((owner, requirement))
                continue
            if not requirement.specifier.contains(versions[name], prereleases=True):
                unmet.append((owner, requirement))
            new = {(name, each) for each in ("", *requirement.extras)} - followed
            followed |= new
            waiting += sorted(new)
    return versions, unmet


def _requirements(package: str, extra: str) -> Iterator[Requirement]:
    """Those that hold on this machine, of one extra or without any."""
    for line in metadata.distribution(package).requires or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def _unmet(owner: str, requirement: Requirement) -> Verdict:
    wanted = f"{requirement.name}{requirement.specifier}"
    try:
        found = f"{metadata.version(requirement.name)} is installed"
    except metadata.PackageNotFoundError:
        found = "is not installed"
    return Verdict(requirement.name, f"{found}; {owner} needs {wanted}", "error", f"pip install '{wanted}'")
