"""Where the next samples should be taken: the places that a registered model knows least about."""
