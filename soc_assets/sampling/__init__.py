"""The sampling stage: usable soil samples are filtered, split, balanced, assigned to folds and batched."""
