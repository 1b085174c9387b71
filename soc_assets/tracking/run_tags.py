"""What an MLflow run says of the software and the machine that made it."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from soc_assets.runtime.process import marks


def environment_tags() -> dict[str, str]:
    """What ran: software versions, the git commit of this package if it lies in a checkout, host and process."""
    tags = {
        "soc.version": version("soc-assets"),
        "soc.torch": version("torch"),
        "soc.python": platform.python_version(),
        **{name.replace("/", "."): value for name, value in marks().items()},
    }
    commit = _git_commit(Path(__file__).parent)
    return {**tags, "soc.git_commit": commit} if commit else tags


def _git_commit(folder: Path) -> str | None:
    """The commit of the checkout that tracks this file, with `-dirty` when tracked files differ; None without one."""
    tracked = ["git", "-C", str(folder), "ls-files", "--error-unmatch", Path(__file__).name]
    describe = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--match="]
    try:
        subprocess.run(tracked, check=True, capture_output=True, timeout=10)
        found = subprocess.run(describe, check=True, capture_output=True, timeout=10, text=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
