"""Where the `soc` command begins and ends: signals are heeded before it loads anything, and its end cannot hang."""

from soc_assets import interrupts


def entry() -> None:
    """Run the command and leave at once: after torch.export the interpreter's teardown makes DuckDB report leaks."""
    interrupts.listen()
    from soc_assets.cli import main

    try:
        main()
    except SystemExit as end:
        _end(end.code if isinstance(end.code, int) else int(end.code is not None))


def _end(code: int) -> None:
    """Let libraries tidy up, for a few seconds at most: all is written, and some wait for threads of theirs."""
    import atexit
    import sys
    import threading

    late = threading.Timer(interrupts.GRACE, interrupts.leave, (code,))
    late.daemon = True
    sys.stdout.flush()
    sys.stderr.flush()
    late.start()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    interrupts.leave(code)
