"""Where the `soc` command begins and ends: signals are handled before it loads anything, and it cannot hang on exit."""

import os
import sys
from typing import NoReturn

from soc_assets.runtime import interrupts, memory


def entry() -> None:
    """Run the command and leave at once: after torch.export the interpreter's teardown makes DuckDB report leaks."""
    interrupts.listen()
    if (refused := memory.refusal()) and not _is_doctor():
        _fail(refused)
    try:
        from soc_assets.cli.main import main

        main()
    except SystemExit as end:
        _end(end.code if isinstance(end.code, int) else int(end.code is not None))
    except Exception as error:
        from soc_assets.storage.write_errors import temporary

        explanation = _not_printed(error) or memory.shortage(error) or temporary(error) or _not_loaded(error)
        if explanation is None:
            raise
        _fail(explanation)


def _not_loaded(error: Exception) -> str | None:
    """Where a library cannot be loaded, that `soc doctor` says why."""
    if isinstance(error, ImportError) and not (error.name or "").startswith("soc_assets"):
        more = "Install soc-assets again" if _is_doctor() else "`soc doctor` says which, and how to mend it"
        return f"A library cannot be loaded ({error}). {more}."
    return None


def _not_printed(error: Exception) -> str | None:
    """Where what a command prints cannot be written, as on a full disk; whatever is on disk already is whole."""
    if not isinstance(error, OSError) or error.filename is not None:
        return None
    try:
        os.write(1, b"\n")  # the error does not say of which file it is
    except OSError as found:
        return (
            f"Standard output cannot be written: {os.strerror(found.errno or 0)}. Send it to a file on a disk with "
            "space, or show it in the terminal."
        )
    return None


def _is_doctor() -> bool:
    return sys.argv[1:2] == ["doctor"]


def _fail(words: str) -> NoReturn:
    os.write(2, f"Error: {words}\n".encode())
    interrupts.leave(1)


def _end(code: int) -> None:
    """Let libraries clean up, for a few seconds at most: everything is written, and some wait for their threads."""
    import atexit
    import threading

    late = threading.Timer(interrupts.GRACE, interrupts.leave, (code,))
    late.daemon = True
    _flush()
    late.start()
    atexit._run_exitfuncs()
    _flush()
    interrupts.leave(code)


def _flush() -> None:
    """Write what is still in the buffers; where that fails the command has failed."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # the reader has seen enough (`soc sql ... | head`)
        return
    except OSError as error:
        _fail(_not_printed(error) or f"Output cannot be written: {error.strerror}.")
