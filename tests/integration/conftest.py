"""What the command line tests share."""

from functools import cache

import pytest

from visavis.cli import options


@pytest.fixture
def one_pipeline(monkeypatch):
    """Commands in this process share the networks, which are compiled once and not once a call."""
    monkeypatch.setattr(options, "build_pipeline", _built)


_built = cache(options.build_pipeline)
