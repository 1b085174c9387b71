"""The evaluation's report and plots, and the model card."""
