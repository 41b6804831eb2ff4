"""Models that a run cannot begin with."""

import numpy as np
import pytest

from visavis import registry
from visavis.errors import ModelError
from visavis.training.recipes.start_model import begin_model


def test_another_network_of_the_package_does_not_fit_and_the_error_says_which_does():
    crops = np.zeros((2, 112, 112, 3), np.uint8)
    with pytest.raises(ModelError, match=r"visavis-low does not fit.*begin with visavis-vit-t"):
        begin_model(registry.create("backbone/vit-mini"), "visavis-low", crops)
