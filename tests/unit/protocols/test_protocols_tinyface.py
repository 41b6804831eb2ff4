"""TinyFace on a generated copy of the official folder, against the loop of its evaluation."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from patterns import pattern, pattern_pipeline, png, unit, varied
from visavis.errors import InputError
from visavis.protocols.tinyface import evaluate_tinyface, read_tinyface


def cell(names):
    """Names as MATLAB writes them: a cell array (N, 1) of texts."""
    found = np.empty((len(names), 1), object)
    found[:, 0] = names
    return found


@pytest.fixture
def copy(tmp_path):
    rng = np.random.default_rng(0)
    top = tmp_path / "tinyface" / "Testing_Set"
    own = {number: pattern(rng) for number in range(11, 19)}
    sides = {"Gallery_Match": [], "Probe": [], "Gallery_Distractor": []}
    for number, cells in own.items():
        for folder, count in (("Gallery_Match", 1 + number % 3), ("Probe", 2)):
            for row in range(count):
                sides[folder].append((f"{number}_{row}.jpg", number, varied(cells, rng, spread=70)))
    for row in range(30):
        sides["Gallery_Distractor"].append((f"d{row}.jpg", -100, pattern(rng)))
    for folder, rows in sides.items():
        (top / folder).mkdir(parents=True)
        for name, _, cells in rows:
            (top / folder / name).write_bytes(png(cells))
    for stem, kind, folder in (("gallery_match", "gallery", "Gallery_Match"), ("probe", "probe", "Probe")):
        names, ids, _ = zip(*sides[folder], strict=True)
        lists = {f"{kind}_set": cell(names), f"{kind}_ids": np.array(ids, np.uint16)[:, None]}
        savemat(top / f"{stem}_img_ID_pairs.mat", lists, do_compression=True)
    return tmp_path / "tinyface", sides


def slow(sides, *, gone=()):
    """CMC and mean average precision by Euclidean distances and the published loop."""
    gallery = sides["Gallery_Match"] + sides["Gallery_Distractor"]
    precision, curve = [], np.zeros((len(sides["Probe"]), len(gallery)))
    for row, (name, person, cells) in enumerate(sides["Probe"]):
        if name in gone:
            precision.append(0.0)
            continue
        distance = [np.linalg.norm(unit(cells) - unit(one)) for _, _, one in gallery]
        order = np.argsort(distance)
        good = [place for place, (_, who, _) in enumerate(gallery) if who == person]
        recall, before, total, found = 0.0, 1.0, 0.0, 0
        for place, one in enumerate(order):
            if one in good:
                curve[row, place:] = 1
                found += 1
            new_recall, now = found / len(good), found / (place + 1)
            total += (new_recall - recall) * (before + now) / 2
            recall, before = new_recall, now
            if found == len(good):
                break
        precision.append(total)
    return curve.mean(axis=0), np.mean(precision)


def test_figures_are_those_of_the_published_evaluation(copy):
    folder, sides = copy
    result = evaluate_tinyface(pattern_pipeline(), read_tinyface(folder), aligned=True, resamples=20)
    curve, average = slow(sides)
    for rank in (1, 5, 10, 20):
        assert result.figure(f"rank.{rank}").value == pytest.approx(curve[rank - 1])
    assert result.figure("map").value == pytest.approx(average)
    assert 0 < curve[0] < 1 and result.figure("rank.1").interval is not None
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    gallery = len(sides["Gallery_Match"])
    assert "Gallery_Distractor 30 of 153,428" in record["notes"][0] and "Probe 16 of 3,728" in record["notes"][0]
    assert (record["probes"], record["gallery"], record["distractors"], record["people"]) == (16, gallery, 30, 8)


def test_a_failed_probe_misses_and_a_failed_distractor_harms_nobody(copy):
    folder, sides = copy
    (folder / "Testing_Set/Probe/11_0.jpg").unlink()
    broken = folder / "Testing_Set/Gallery_Distractor/d3.jpg"
    broken.write_bytes(broken.read_bytes()[:50])
    result = evaluate_tinyface(pattern_pipeline(), read_tinyface(folder), aligned=True, resamples=5)
    sides["Gallery_Distractor"] = [one for one in sides["Gallery_Distractor"] if one[0] != "d3.jpg"]
    curve, average = slow(sides, gone=("11_0.jpg",))
    assert result.figure("rank.1").value == pytest.approx(curve[0])
    assert result.figure("map").value == pytest.approx(average)
    assert result.numbers["failed_probes"] == 1 and result.numbers["failed_entries"] == 1


def test_crops_may_lie_elsewhere_with_another_ending(copy, tmp_path):
    folder, sides = copy
    for name in sides:
        (tmp_path / "crops" / name).mkdir(parents=True)
        for path in (folder / "Testing_Set" / name).iterdir():
            (tmp_path / "crops" / name / path.with_suffix(".png").name).write_bytes(path.read_bytes())
    data = read_tinyface(folder / "Testing_Set", crops=tmp_path / "crops")
    assert data.pictures == tmp_path / "crops" and all(name.endswith(".png") for name in data.probes)
    found = evaluate_tinyface(pattern_pipeline(), data, aligned=True, resamples=5)
    assert found.figure("rank.1").value == pytest.approx(slow(sides)[0][0])


def test_without_distractors_and_without_faces(copy):
    folder, _ = copy
    for path in (folder / "Testing_Set/Gallery_Distractor").iterdir():
        path.unlink()
    assert evaluate_tinyface(
        pattern_pipeline(), read_tinyface(folder), aligned=True, resamples=5
    ).numbers["distractors"] == 0  # fmt: skip
    with pytest.raises(InputError, match="none of the 16 pictures"):
        evaluate_tinyface(pattern_pipeline(), read_tinyface(folder), aligned=False)


def test_lists_that_do_not_fit_are_refused(copy, tmp_path):
    folder, _ = copy
    path = folder / "Testing_Set/probe_img_ID_pairs.mat"
    whole = path.read_bytes()
    for wrong in (b"text", whole[: len(whole) // 2], whole[:130]):
        path.write_bytes(wrong)
        with pytest.raises(InputError, match="not a list of TinyFace"):
            read_tinyface(folder)
    for lists in ({"probe_set": cell(["a.jpg"])}, {"probe_set": cell(["a.jpg"]), "probe_ids": np.zeros((2, 1))}):
        savemat(path, lists)
        with pytest.raises(InputError, match="not a list of TinyFace"):
            read_tinyface(folder)
    for number in (np.nan, np.inf, 1.5, -100):
        savemat(path, {"probe_set": cell(["a.jpg", "b.jpg"]), "probe_ids": np.array([[3], [number]])})
        with pytest.raises(InputError, match="identities are whole numbers"):
            read_tinyface(folder)
    with pytest.raises(InputError, match="no folder Gallery_Match"):
        read_tinyface(tmp_path)
