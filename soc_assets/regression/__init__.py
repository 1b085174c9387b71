"""The regression stage: from the features view to a fitted MLP, its scores and its figures."""
