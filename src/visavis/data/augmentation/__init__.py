"""Augmentation of aligned crops: one transform a file."""
