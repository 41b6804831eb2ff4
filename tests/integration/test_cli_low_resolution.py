"""visavis evaluate low-resolution, as a user meets it."""

import pytest

from commands import call
from portraits import save_people

pytestmark = pytest.mark.usefixtures("one_pipeline")


@pytest.fixture(scope="module")
def people(tmp_path_factory, astronaut, officer):
    return save_people(tmp_path_factory.mktemp("people"), [astronaut, officer], people=3, each=2)


def test_figures_of_each_size_and_a_plot(capfd, people, tmp_path):
    words = (
        "evaluate",
        "low-resolution",
        people,
        "--sizes",
        "8,24",
        "--resamples",
        "5",
        "--report",
        tmp_path / "a.svg",
    )
    ran = call(capfd, *words, "--json")
    assert (ran.code, ran.json["kind"], ran.json["people"]) == (0, "low-resolution", 3)
    assert ran.json["settings"]["sizes"] == ["8", "24", "full"] and ran.json["roles"] == {"unlisted": 3}
    assert {"failed@8", "rank.1@24", "tar_at_far.1e-2@full", "fmr_both@8"} < set(ran.json["figures"])
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    read = call(capfd, *words[:-1], tmp_path / "a.png")
    assert read.code == 0 and "FMR, both small" in read.out and "shipped threshold" in read.out
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--sizes", "8,x"), "whole numbers with commas"),
        (("--sizes", "16,8"), "rising numbers"),
        (("--degrade", "jpeg"), "down-cubic"),
        (("--report", "plot.html"), ".png or .svg"),
        (("--at", "1e-3"), "fmr=RATE"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_picture(capfd, people, words, told):
    ran = call(capfd, "evaluate", "low-resolution", people, *words)
    assert ran.code == 2 and told in ran.err


def test_recognisers_of_two_spaces_are_not_compared(capfd, people):
    ran = call(capfd, "evaluate", "low-resolution", people, "--gallery-model", "visavis-vit-t")
    assert ran.code == 4 and "differ in recogniser" in ran.err
