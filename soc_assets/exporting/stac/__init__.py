"""The embeddings of a spec as a STAC collection: a folder that can be published, with an item for each batch."""
