"""The `soc` command: its commands, what they print, and running steps from a terminal."""


def entry() -> None:
    """The command `soc`: it installs its signal handlers before it loads anything."""
    from soc_assets.cli import start

    start.entry()
