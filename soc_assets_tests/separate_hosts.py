"""Hosts on one machine that see no files of each other, and end as a host without power does.

A host is a mount and a PID namespace of Linux: its own folder lies under the same path as those of the others do on
theirs (`here`), and where all of them are kept there is nothing.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_ENTER = 'mount --bind "$1" "$2" && mount -t tmpfs none "$3" && cd "$2" && shift 3 && exec "$@"'
_IDLE = ("sleep", "infinity")


def are_possible() -> bool:
    """Whether this user may make namespaces (root may, others where the machine allows it)."""
    with contextlib.suppress(OSError):
        return subprocess.run([*_namespaces(), "true"], capture_output=True).returncode == 0
    return False


class Hosts:
    """Folders of hosts; `here` is what each of them calls its own."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="h", dir="/tmp"))  # Ray's sockets need short paths
        self.here = self.base / "here"
        self.kept = self.base / "kept"
        for folder in (self.here, self.kept):
            folder.mkdir()
        self.all: dict[str, Host] = {}

    def add(self, name: str) -> "Host":
        """A host with an empty folder."""
        folder = self.kept / name
        folder.mkdir()
        self.all[name] = Host(folder, self)
        return self.all[name]

    def stop(self) -> None:
        """End everything on every host and remove the folders."""
        for host in self.all.values():
            host.kill()
        shutil.rmtree(self.base, ignore_errors=True)


class Host:
    """One of them; `folder` is where this test finds what the host has under `here`."""

    def __init__(self, folder: Path, hosts: Hosts) -> None:
        self.folder, self._here = folder, hosts.here
        where = [str(folder), str(hosts.here), str(hosts.kept)]
        self._first = subprocess.Popen(
            [*_namespaces(), "sh", "-c", _ENTER, "sh", *where, *_IDLE], start_new_session=True
        )
        self._inside: int | None = None

    def run(self, command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> subprocess.Popen:
        """Start a command there, in its folder; it has this environment and no other."""
        enter = [
            "nsenter",
            f"--target={self._process()}",
            "--mount",
            "--pid",
            "sh",
            "-c",
            'cd "$0" && exec "$@"',
            self._here,
        ]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        known = {name: os.environ[name] for name in ("HOME", "LANG", "OMP_NUM_THREADS") if name in os.environ}
        return subprocess.Popen(
            [*map(str, [*enter, *command])],
            env={**known, "PATH": path, **environment},
            stdout=log.open("a"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def processes(self, words: str) -> list[int]:
        """Processes there (their numbers outside) whose command has these words."""
        space, found = Path(f"/proc/{self._process()}/ns/pid").readlink(), []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                here = (folder / "ns/pid").readlink() == space
                if here and words in (folder / "cmdline").read_text().replace("\0", " "):
                    found.append(int(folder.name))
        return found

    def kill(self) -> None:
        """End all its processes at once."""
        self._first.send_signal(signal.SIGKILL)
        self._first.wait()

    def size(self, besides: Sequence[str] = ()) -> int:
        """Bytes of the files in its folder but those in these folders."""
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return sum(path.stat().st_size for path in files if path.relative_to(self.folder).parts[0] not in besides)

    def _process(self) -> int:
        """A process of the namespaces: the first one's child."""
        while self._inside is None:
            children = Path(f"/proc/{self._first.pid}/task/{self._first.pid}/children").read_text().split()
            for child in children:
                with contextlib.suppress(OSError):
                    if Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"sleep"):
                        self._inside = int(child)
            assert self._first.poll() is None, "the host has ended"
        return self._inside


def _namespaces() -> list[str]:
    as_root = [] if os.getuid() == 0 else ["--map-root-user"]
    return ["unshare", *as_root, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation=private"]
