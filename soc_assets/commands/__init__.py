"""The commands of `soc`, a module per purpose: parsing and exit codes only; `soc_assets.cli` assembles them."""
