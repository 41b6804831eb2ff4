"""Readers of labelled collections: one format a file, one protocol for all."""
