"""Degradation of whole pictures: named operators with five levels each, one operator a file."""
