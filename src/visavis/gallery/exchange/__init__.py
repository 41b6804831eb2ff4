"""Galleries in and out: whole ones with hashes, and embeddings in the formats of others."""
