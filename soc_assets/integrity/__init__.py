"""The files on disk: whether tables are consistent with each other, and which of them can be recomputed."""
