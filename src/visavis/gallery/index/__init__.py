"""Nearest templates of a gallery: exact scans, graphs for very large ones, and the files derived from the records."""
