"""visavis gallery, as its keeper meets it."""

import sqlite3

import numpy as np
import pytest
from PIL import Image

import galleries
from commands import call
from galleries import crop, sample


@pytest.fixture
def made(tmp_path):
    gallery = galleries.gallery(tmp_path)
    gallery.add_samples(
        [
            sample("ann", 1, crop=crop(1), name="Ann", metadata={"team": "a", "floor": 2}),
            sample("ann", 2, quality=float("nan")),
            sample("bob", 1),
            sample("eve", 4, metadata={"team": "b"}),
        ]
    )
    return gallery


def test_info_and_people_and_show_tell_what_was_put_in(capfd, made, tmp_path):
    told = call(capfd, "gallery", "info", made.path, "--json").json
    assert (told["people"], told["samples"], told["schema"]) == (3, 4, "0001") and told["uuid"] == made.uuid
    assert told["fingerprint"] == galleries.SPACE.fingerprint and told["space"]["dimension"] == 16
    assert "embedder/tiny" in call(capfd, "gallery", "info", made.path).out

    people = call(capfd, "gallery", "people", made.path, "--json").json["people"]
    assert [(row["person"], row["samples"], row["usable"]) for row in people] == [
        ("ann", 2, True), ("bob", 1, True), ("eve", 1, True),
    ]  # fmt: skip
    for words, wanted in [(("team=a",), ["ann"]), (("floor:=2", "--where", "team=a"), ["ann"]), (("floor=2",), [])]:
        found = call(capfd, "gallery", "people", made.path, "--where", *words, "--json").json["people"]
        assert [row["person"] for row in found] == wanted

    shown = call(capfd, "gallery", "show", made.path, "ann", "--crops", tmp_path / "crops", "--json").json
    assert [row["quality"] for row in shown["samples"]] == [50.0, None]
    assert [row["box"] for row in shown["samples"]] == [[10.0, 20.0, 90.0, 110.0]] * 2
    assert shown["written"] == [str(tmp_path / "crops/1.png")]
    with Image.open(tmp_path / "crops/1.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), crop(1))
    assert "no crop" in call(capfd, "gallery", "show", made.path, "ann").out


def test_a_gallery_is_set_right_step_by_step(capfd, made):
    def run(*words):
        ran = call(capfd, "gallery", *words)
        assert ran.code == 0, ran
        return ran

    assert "one face of the picture" in run("check", made.path).out
    run("merge", made.path, "bob", "ann", "--reason", "enrolled twice")
    assert run("check", made.path, "--json").json == {
        "gallery": str(made.path), "clean": True, "problems": [], "warnings": [],
    }  # fmt: skip
    run("move", made.path, 2, "--to", "eve", "--reason", "her face")
    run("remove", made.path, "--sample", 2, "--reason", "blurred")
    assert [one.sample for one in made.samples("ann")] == [1] and made.person("eve").samples == 1
    changed = run(
        "update", made.path, "eve", "--name", "Eve", "--set", "team=c", "--set", "n:=[1]", "--unset", "team",
        "--consent", "form 3", "--expires", "2040-01-01T00:00+02:00", "--json",
    ).json  # fmt: skip
    assert changed["metadata"] == {"team": "c", "n": [1]} and changed["consent"]["basis"] == "form 3"
    assert changed["expires"].startswith("2039-12-31T22:00") and changed["name"] == "Eve"
    assert run("update", made.path, "eve", "--expires", "never", "--json").json["expires"] is None
    run("update", made.path, "eve", "--withdraw")
    assert "consent withdrawn" in run("people", made.path).out and made.keys().tolist() == [1]
    assert run("purge", made.path, "--dry-run", "--json").json["purged"] == ["eve"] and made.person("eve")
    assert run("purge", made.path).out.strip() == "erased: eve"
    assert run("purge", made.path).out.strip() == "erased: nobody"
    run("remove", made.path, "ann", "--reason", "left")
    assert made.people() == [] and made.check() == []
    events = run("events", made.path, "--json").json["events"]
    assert [row["what"] for row in events][2:] == [
        "merged", "moved", "removed", "updated", "updated", "updated", "purged", "removed",
    ]  # fmt: skip
    corrections = run("events", made.path, "--corrections", "--since", 2, "--json").json["corrections"]
    assert [(row["what"], row["reason"]) for row in corrections] == [
        ("remove-sample", "blurred"), ("remove-person", "left"),
    ]  # fmt: skip
    assert "sample 2: eve: blurred" in run("events", made.path, "--corrections").out


def test_what_is_wrong_ends_with_3(capfd, made):
    made.close()
    connection = sqlite3.connect(made.path)
    connection.execute("DELETE FROM fused")
    connection.commit()
    connection.close()
    ran = call(capfd, "gallery", "check", made.path, "--json")
    assert ran.code == 3 and not ran.json["clean"] and "ann" in ran.json["problems"][0]
    ran = call(capfd, "gallery", "check", made.path)
    assert ran.code == 3 and "is damaged" in ran.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("info", "nowhere.gallery"), 3, "does not exist"),
        (("show", "FILE", "nobody"), 3, "nobody in this gallery"),
        (("update", "FILE", "ann"), 2, "nothing to change"),
        (("update", "FILE", "ann", "--consent", "x", "--withdraw"), 2, "contradict"),
        (("update", "FILE", "ann", "--unset", "nothing"), 2, "has no nothing"),
        (("update", "FILE", "ann", "--set", "novalue"), 2, "key=text"),
        (("update", "FILE", "ann", "--set", "a:=[1"), 2, "JSON"),
        (("update", "FILE", "ann", "--set", "a:=NaN"), 3, "JSON"),
        (("update", "FILE", "ann", "--expires", "soon"), 2, "is a date"),
        (("update", "FILE", "ann", "--name", "a\nb"), 3, "one line"),
        (("remove", "FILE", "--reason", "x"), 2, "one of the two"),
        (("remove", "FILE", "ann", "--sample", "1", "--reason", "x"), 2, "one of the two"),
        (("remove", "FILE", "ann"), 2, "--reason"),
        (("remove", "FILE", "ann", "--reason", " "), 3, "reason"),
        (("merge", "FILE", "ann", "ann", "--reason", "x"), 2, "name two"),
        (("move", "FILE", "99", "--to", "ann", "--reason", "x"), 3, "no sample 99"),
        (("people", "FILE", "--where", "x"), 2, "--where"),
        (("update", "FILE", "ann", "--expires", "0001-01-01T00:00+14:00"), 2, "--expires"),
        (("update", "FILE", "ann", "--set", f"a:={'[' * 5000}{']' * 5000}"), 2, "takes JSON"),
        (("info", "x" * 300), 3, "does not exist"),
    ],
    ids=lambda value: " ".join(value)[:80] if isinstance(value, tuple) else "",
)
def test_wrong_calls_change_nothing_and_say_what_to_do(capfd, made, words, code, told):
    before = made.revision
    ran = call(capfd, "gallery", *[made.path if word == "FILE" else word for word in words])
    assert ran.code == code and told in ran.err and "Traceback" not in ran.err
    assert made.revision == before and len(made.people()) == 3


def test_ids_and_texts_cannot_forge_lines(capfd, made):
    made.add_person("[red]x[/red]", name="{0} %s", metadata={"a": "line\nbreak\x1b[31m"})
    for words in (("people",), ("show", "[red]x[/red]")):
        ran = call(capfd, "gallery", words[0], made.path, *words[1:])
        assert "[red]x[/red]" in ran.out and "{0} %s" in ran.out and "\x1b" not in ran.out
        assert not any(line.startswith("break") for line in ran.out.splitlines())
