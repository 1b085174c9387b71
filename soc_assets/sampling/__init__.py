"""The sampling stage: usable soil samples become filtered, split, balanced, folded and batched ones."""
