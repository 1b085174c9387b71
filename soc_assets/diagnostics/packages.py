"""The installed packages: whether each is there, in a version that all others that need it accept.

What may not be installed together is what the packages themselves say: their requirements, followed from those of
soc-assets. pip does not look at them again when it installs something else later.
"""

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING

from soc_assets.diagnostics.verdict import Verdict

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE = "soc-assets"
_SHOWN = ("dagster", "duckdb", "mlflow", "numpy", "pandas", "pyarrow", "scikit-learn", "timm")


def install_command(*words: str) -> str:
    """The command that installs something into this environment, whether it is pip's or uv's."""
    python = sys.executable
    start = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return " ".join([start, *words])


def look_at_python() -> Verdict:
    """The interpreter and the system."""
    environment = sys.prefix if sys.prefix != sys.base_prefix else "no virtual environment"
    return Verdict("Python", f"{platform.python_version()} ({environment}), {platform.platform()}")


def look_at_packages(package: str = PACKAGE) -> list[Verdict]:
    """Versions that a bug report needs, and an error for each package whose requirements are not met."""
    versions, unmet = follow_requirements(package)
    shown = [f"{name} {versions[name]}" for name in _SHOWN if name in versions]
    first = Verdict(package, f"{metadata.version(package)}, {len(versions)} packages: {', '.join(shown)}")
    return [first, *(_unmet(name, versions.get(name), wanted) for name, wanted in unmet.items())]


def follow_requirements(package: str) -> tuple[dict[str, str], "dict[str, list[tuple[str, Requirement]]]"]:
    """Versions of the packages that one needs, directly or not; and of what is missing or wrong, who needs what.

    Names are normalised (typing-extensions).
    """
    from packaging.utils import canonicalize_name

    versions: dict[str, str] = {}
    wanted: dict[str, list[tuple[str, Requirement]]] = {}
    waiting: list[tuple[str, str]] = [(package, "")]  # names, each with an extra or without
    followed = set(waiting)
    while waiting:
        owner, extra = waiting.pop()
        for requirement in _requirements(owner, extra):
            name = str(canonicalize_name(requirement.name))
            wanted.setdefault(name, []).append((owner, requirement))
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
            new = {(name, each) for each in ("", *requirement.extras)} - followed
            followed |= new
            waiting += sorted(new)
    return versions, {name: asked for name, asked in wanted.items() if not _met(versions.get(name), asked)}


def _requirements(package: str, extra: str) -> "Iterator[Requirement]":
    """Those that hold on this machine, of one extra or without any; what is not written as it should be is left out."""
    from packaging.requirements import InvalidRequirement, Requirement

    for line in metadata.distribution(package).requires or []:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def _met(version: str | None, asked: "list[tuple[str, Requirement]]") -> bool:
    return version is not None and all(each.specifier.contains(version, prereleases=True) for _, each in asked)


def _unmet(name: str, version: str | None, asked: "list[tuple[str, Requirement]]") -> Verdict:
    wrong = [(owner, each) for owner, each in asked if not _met(version, [(owner, each)])]
    needs = ", ".join(f"{owner} needs {each.specifier or 'it'}" for owner, each in wrong)
    extras = sorted({extra for _, each in asked for extra in each.extras})
    limits = sorted({str(limit) for _, each in asked for limit in each.specifier})
    wanted = name + (f"[{','.join(extras)}]" if extras else "") + ",".join(limits)
    found = f"{version} is installed" if version else "is not installed"
    return Verdict(name, f"{found}; {needs}", "error", install_command(f"'{wanted}'"))
