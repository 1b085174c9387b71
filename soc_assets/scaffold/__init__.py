"""A new project: soc.toml, folders, and the files by which Dagster, git and people find their way in it."""
