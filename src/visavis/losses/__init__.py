"""Losses, one a file: the formula as a function, the weights and state in a class."""
