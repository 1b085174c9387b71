"""`python -m soc_assets` is the `soc` command."""

from soc_assets.entry import entry

if __name__ == "__main__":
    entry()
