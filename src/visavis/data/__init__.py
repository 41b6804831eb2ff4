"""Labelled collections for training: readers, packs, loaders, samplers, splits."""
