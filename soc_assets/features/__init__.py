"""The DuckDB database over the samples and embeddings: views, and the flattened feature vector."""
