"""A recogniser, a GAN, a denoiser with an average and LoRA: each is killed with SIGKILL, resumed, and ends the same."""

import killed_and_resumed
import pytest


@pytest.mark.parametrize("name", sorted(killed_and_resumed.TASKS))
def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(name):
    code, whole, resumed = killed_and_resumed.compare(name)
    assert code == -9 and whole == resumed
