"""Embeddings that other programs wrote, brought into the platform's files."""
