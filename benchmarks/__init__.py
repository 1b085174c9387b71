"""Speed, as ratios against a reference and against the physical limit in the same run."""
