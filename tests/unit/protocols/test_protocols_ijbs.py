"""IJB-S-type identification on a generated copy of the layout, against a slow count."""

import json

import numpy as np
import pytest

from patterns import pattern, pattern_pipeline, png, varied
from visavis.errors import InputError, UnreadableError, UsageError
from visavis.protocols.ijbs import evaluate_ijbs, read_ijbs

HEADER = "template,subject,medium,file"


@pytest.fixture
def copy(tmp_path):
    """Ten subjects, five a gallery; two probes each of one to five frames of one or two clips."""
    rng = np.random.default_rng(3)
    own = {f"s{number}": pattern(rng) for number in range(10)}
    sides = {"gallery_1": [], "gallery_2": [], "probes": []}
    for number, (subject, cells) in enumerate(own.items()):
        for still in range(1 + number % 2):
            sides["gallery_1" if number < 5 else "gallery_2"].append((f"g{number}", subject, f"{still}", cells, 10))
        for probe in range(2):
            for frame in range(1 + (number + probe) % 5):
                sides["probes"].append((f"p{number}{probe}", subject, f"clip{frame % 2}", cells, 75))
    found = {}
    for side, rows in sides.items():
        (tmp_path / side).mkdir()
        lines, found[side] = [HEADER], []
        for number, (template, subject, medium, cells, spread) in enumerate(rows):
            made = varied(cells, rng, spread=spread)
            (tmp_path / side / f"{number}.png").write_bytes(png(made))
            lines.append(f"{template},{subject},{medium},{side}/{number}.png")
            found[side].append((template, subject, medium, made.astype(float).ravel() - 128))
        (tmp_path / f"{side}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path, found


def pooled(rows, power):
    """Template to subject and vector: the mean of each medium, summed, with the norm to a power as the weight."""
    templates = {}
    for template, subject, medium, raw in rows:
        media = templates.setdefault(template, (subject, {}))[1]
        media.setdefault(medium, []).append(raw / np.linalg.norm(raw) * np.linalg.norm(raw) ** power)
    found = {}
    for template, (subject, media) in templates.items():
        whole = sum(np.mean(frames, axis=0) for frames in media.values())
        found[template] = (subject, whole / np.linalg.norm(whole))
    return found


@pytest.mark.parametrize(("weighting", "power"), [("none", 0), ("norm", 1), ("norm2", 2)])
def test_ranks_and_strangers_are_those_of_a_slow_count(copy, weighting, power):
    folder, sides = copy
    result = evaluate_ijbs(pattern_pipeline(), read_ijbs(folder), weighting=weighting, aligned=True, resamples=10)
    probes = pooled(sides["probes"], power)
    for name in ("gallery_1", "gallery_2"):
        gallery = pooled(sides[name], power)
        enrolled = {subject for subject, _ in gallery.values()}
        hits, mated, strangers, mates = 0, 0, [], []
        for subject, vector in probes.values():
            scores = {other: float(vector @ entry) for other, entry in gallery.values()}
            if subject in enrolled:
                mated += 1
                best = max(scores, key=scores.get)
                hits += best == subject
                mates.append(scores[subject] if best == subject else -1)
            else:
                strangers.append(max(scores.values()))
        assert (mated, len(strangers)) == (10, 10)
        assert result.figure(f"{name}.rank.1").value == pytest.approx(hits / mated)
        limit = sorted(strangers)[-2]  # one of ten strangers may be returned at FPIR 1e-1
        tpir = np.mean([score > limit for score in mates])
        assert result.figure(f"{name}.tpir_at_fpir.1e-1").value == pytest.approx(tpir)
    assert result.to_dict()["settings"]["weighting"] == weighting
    json.dumps(result.to_dict(), allow_nan=False)


def test_a_template_lives_on_the_pictures_that_are_left_and_fails_without_any(copy):
    folder, sides = copy
    lost = [row for row, (template, *_) in enumerate(sides["probes"]) if template in ("p00", "p31")]
    for row in lost:
        (folder / f"probes/{row}.png").write_bytes(b"no picture")
    frames = [row for row, (template, *_) in enumerate(sides["probes"]) if template == "p40"]
    (folder / f"probes/{frames[0]}.png").unlink()
    record = evaluate_ijbs(pattern_pipeline(), read_ijbs(folder), aligned=True, resamples=0).to_dict()
    assert record["failed_templates"] == record["failed_probes"] == 2
    assert sum(record["failed_images"].values()) == len(lost) + 1


def test_lists_of_another_form_are_refused(copy):
    folder, _ = copy
    with pytest.raises(UsageError, match="norm2"):
        evaluate_ijbs(pattern_pipeline(), read_ijbs(folder), weighting="sum")
    good = (folder / "probes.csv").read_text()
    for text, told in (
        ("template,subject\n1,2\n", "the header"),
        (HEADER + "\n", "names no picture"),
        (HEADER + "\n1,2,,a.png\n", "line 2"),
        (HEADER + f"\n1,{'a' * 200_000},0,a.png\n", "probes.csv is not valid CSV"),
        (HEADER + "\n1,a,0,a.png\n1,b,0,b.png\n", "of one subject"),
    ):
        (folder / "probes.csv").write_text(text)
        with pytest.raises(InputError, match=told):
            read_ijbs(folder)
    (folder / "probes.csv").write_text(good)
    (folder / "gallery_2.csv").write_text((folder / "gallery_1.csv").read_text())
    with pytest.raises(InputError, match="in both galleries"):
        read_ijbs(folder)
    (folder / "gallery_2.csv").unlink()
    with pytest.raises(UnreadableError):
        read_ijbs(folder)
