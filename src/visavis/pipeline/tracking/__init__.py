"""Tracks of faces through a clip."""
