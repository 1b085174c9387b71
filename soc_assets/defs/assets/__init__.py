"""The assets, stage by stage: they call the stages, record what came out, and compute nothing themselves."""
