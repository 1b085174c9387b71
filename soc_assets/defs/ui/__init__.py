"""What the Dagster UI shows: tables, plots and the results of asset checks."""
