"""`python -m soc_assets` is the `soc` command."""

from soc_assets.cli.start import entry

if __name__ == "__main__":
    entry()
