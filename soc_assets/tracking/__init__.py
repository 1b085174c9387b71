"""MLflow: runs, the registry and the champion, without Dagster."""
