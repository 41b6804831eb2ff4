"""Sessions, weights, threads."""
