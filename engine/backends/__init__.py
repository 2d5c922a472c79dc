"""Adapters to the libraries that encode, index and score: each file hides one of them."""
