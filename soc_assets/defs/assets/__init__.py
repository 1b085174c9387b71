"""The assets, stage by stage: they call the stages, record the results, and compute nothing themselves."""
