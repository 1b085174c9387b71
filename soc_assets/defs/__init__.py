"""The Dagster side: assets, partitions, resources and jobs. An asset loads, calls one function, writes and reports."""

import warnings

warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")  # in beta for years, and stable in use
warnings.filterwarnings("ignore", message="Function `multi_observable_source_asset`")
warnings.filterwarnings("ignore", message="Parameter `use_user_code_server`")  # needed for custom conditions
