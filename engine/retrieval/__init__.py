"""Retrieval: record texts to vectors, vectors and characters to candidate items."""
