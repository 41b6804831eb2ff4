"""IJB on generated copies of the official layout, against loops in float64 and scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from ijb_sets import write_ijb
from patterns import pattern_pipeline, unit
from visavis.errors import InputError, UsageError
from visavis.protocols.ijb import (
    IjbWeights,
    embed_ijb,
    evaluate_ijb_identification,
    evaluate_ijb_verification,
    pool_ijb,
)
from visavis.protocols.ijb_layout import IjbFolder


@pytest.fixture(scope="module", params=["ijbc", "ijbb"])
def copy(request, tmp_path_factory):
    found = write_ijb(tmp_path_factory.mktemp("ijb") / "set", request.param)
    found.name = request.param
    vectors = np.array([unit(cells) * 50 for cells in found.cells])
    failed = np.flatnonzero(found.table[:, 0] == 203)  # a template of which nothing is left
    vectors[failed] = np.nan
    np.save(found.folder / "e.npy", vectors)
    found.vectors = vectors
    return found


def slow_templates(copy, weights=None):
    found = {}
    for template in copy.subject:
        total = 0
        rows = np.flatnonzero(copy.table[:, 0] == template)
        for medium in set(copy.table[rows, 1]):
            frames = [copy.vectors[row] * (1 if weights is None else weights[row]) for row in rows
                      if copy.table[row, 1] == medium]  # fmt: skip
            total = total + np.mean(frames, axis=0)
        found[template] = total / np.linalg.norm(total)
    return found


def test_verification_is_that_of_loops_and_of_scikit_learn(copy):
    result = evaluate_ijb_verification(pool_ijb(IjbFolder.find(copy.folder), copy.folder / "e.npy"), resamples=30)
    templates = slow_templates(copy)
    scores = np.array([templates[a] @ templates[b] for a, b, _ in copy.pairs])
    labels = copy.pairs[:, 2]
    far, tar, _ = roc_curve(labels, np.nan_to_num(scores, nan=-2), drop_intermediate=False)
    for name, rate in (("1e-6", 1e-6), ("1e-3", 1e-3), ("1e-2", 1e-2), ("1e-1", 1e-1)):
        figure = result.figure(f"tar_at_far.{name}")
        assert figure.value == pytest.approx(tar[np.searchsorted(far, rate, side="right") - 1])
        accepted = np.nan_to_num(scores, nan=-2) >= figure.threshold
        assert figure.counts == {
            "false matches": int((accepted & (labels == 0)).sum()),
            "false non-matches": int((~accepted & (labels == 1)).sum()),
        }
        assert figure.interval.low <= figure.value <= figure.interval.high
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert record["pairs"] == len(copy.pairs) and record["mated"] == labels.sum() and record["people"] == 12
    assert record["failed_templates"] == 1 and record["failed_pairs"] == np.isnan(scores).sum() == 12
    assert record["fta"]["events"] == np.isnan(copy.vectors[:, 0]).sum() == record["failed_images"]["embedding"]
    assert record["data"] == copy.name and record["roles"] == {"unlisted": 12}
    assert "tar_at_far.1e-6" in record["ungated"]


def test_weights_are_those_of_the_published_scripts(copy):
    """use_norm_score and use_detector_score: embeddings with their norm, times the score."""
    rng = np.random.default_rng(0)
    norms = rng.uniform(0.2, 3, len(copy.vectors)).astype(np.float32)
    np.save(copy.folder / "raw.npy", copy.vectors * norms[:, None])
    folder = IjbFolder.find(copy.folder)
    both = pool_ijb(folder, copy.folder / "raw.npy", weights=IjbWeights(norm=True, detector=True))
    expected = slow_templates(copy, weights=norms * copy.scores)
    stored = pool_ijb(folder, copy.folder / "e.npy", weights=IjbWeights(detector=True, values=norms))
    for row, template in enumerate(sorted(copy.subject)):
        assert np.allclose(both.pooled.vectors[row], expected[template], atol=1e-5, equal_nan=True)
        assert np.allclose(stored.pooled.vectors[row], expected[template], atol=1e-5, equal_nan=True)


def slow_search(copy, gallery, templates):
    """(ranks of mated probes, 0 for none; best similarity of mated and of other probes) by sorted lists."""
    ranks, hits, tops = [], [], []
    for probe in (one for one in copy.subject if one >= 200):
        scores = {one: templates[one] @ templates[probe] for one in gallery}
        order = [] if np.isnan(templates[probe]).any() else sorted(scores, key=scores.get, reverse=True)
        mates = [one for one in gallery if copy.subject[one] == copy.subject[probe]]
        if mates:
            ranks.append(order.index(mates[0]) + 1 if order else 0)
            hits.append(scores[mates[0]])
        else:
            tops.append(scores[order[0]] if order else -2)
    return np.array(ranks), np.array(hits), np.sort(tops)[::-1]


def test_identification_is_that_of_sorted_lists(copy):
    result = evaluate_ijb_identification(pool_ijb(IjbFolder.find(copy.folder), copy.folder / "e.npy"), resamples=20)
    names, templates = IjbFolder.find(copy.folder).galleries, slow_templates(copy)
    found = {}
    for name, gallery in zip(names, (range(5, 11), range(11, 17)), strict=True):
        ranks, hits, tops = slow_search(copy, gallery, templates)
        for rank in (1, 5, 10):
            found[name, rank] = np.mean((ranks >= 1) & (ranks <= rank))
            assert result.figure(f"{name}.rank.{rank}").value == pytest.approx(found[name, rank])
        for told, rate in (("1e-2", 1e-2), ("1e-1", 1e-1)):
            limit = tops[int(rate * len(tops))]  # so many of the others may be accepted
            expected = np.mean((ranks == 1) & (hits > limit))
            assert result.figure(f"{name}.tpir_at_fpir.{told}").value == pytest.approx(expected)
        assert result.numbers[f"{name}_mated"] == len(ranks) and result.numbers[f"{name}_nonmated"] == len(tops)
    mean = np.mean([found[name, 1] for name in names])
    assert result.figure("mean.rank.1").value == pytest.approx(mean)
    assert result.numbers["probes"] == 24 and result.numbers["failed_probes"] == 1
    json.dumps(result.to_dict(), allow_nan=False)


def test_loose_crops_are_aligned_by_the_points_of_the_list(copy, tmp_path):
    """The embedding of a crop that was shifted is that of the pattern; a missing picture is a row of NaN."""
    pipeline, folder = pattern_pipeline(), IjbFolder.find(copy.folder)
    gone = copy.folder / "loose_crop" / "1.png"
    kept = gone.read_bytes()
    gone.unlink()
    recogniser, failed = embed_ijb(pipeline, folder, tmp_path / "e.npy")
    gone.write_bytes(kept)
    found = np.load(tmp_path / "e.npy")
    expected = np.array([cells.astype(float).ravel() - 128 for cells in copy.cells])
    assert np.isnan(found[0]).all() and failed == {"unreadable.missing": 1}
    assert np.abs(found[1:] - expected[1:]).max() < 6 and np.median(np.abs(found[1:] - expected[1:])) < 1
    templates = pool_ijb(folder, tmp_path / "e.npy", recogniser=recogniser, failed_images=failed)
    record = evaluate_ijb_verification(templates, resamples=0).to_dict()
    assert record["model"] == "embedder/pattern" and record["failed_images"] == {"unreadable.missing": 1}
    assert (
        record["figures"]["tar_at_far.1e-1"]["value"] > 0.9 and record["figures"]["tar_at_far.1e-1"]["interval"] is None
    )


def test_people_come_from_mated_pairs_where_the_files_of_identification_are_missing(tmp_path):
    copy = write_ijb(tmp_path / "set", images=False)
    np.save(tmp_path / "e.npy", np.array([unit(cells) for cells in copy.cells]))
    templates = pool_ijb(IjbFolder.find(copy.folder), tmp_path / "e.npy")
    named = evaluate_ijb_verification(templates, resamples=20)
    (copy.folder / "meta" / "ijbc_1N_probe_mixed.csv").unlink()
    linked = evaluate_ijb_verification(templates, resamples=20)
    assert linked.numbers["people"] == named.numbers["people"] == 12
    assert any("link" in note for note in linked.notes) and not any("link" in note for note in named.notes)
    assert linked.figure("tar_at_far.1e-2").value == named.figure("tar_at_far.1e-2").value


def test_columns_go_by_the_names_of_the_header(copy):
    """Whatever the order of the columns; without known names the first two count."""
    folder = IjbFolder.find(copy.folder)
    images = folder.images()
    path = folder.meta(f"1N_gallery_{folder.galleries[0]}.csv")
    text, before = path.read_text(), folder.subjects(images)[0]
    rows = [line.split(",") for line in text.splitlines()]
    turned = "".join(f"{name},{who},{template}\n" for template, who, name, *_ in rows)
    for other in (turned, text.replace("TEMPLATE_ID,SUBJECT_ID", "t,s")):
        path.write_text(other)
        after = folder.subjects(images)[0]
        assert np.array_equal(before.rows, after.rows) and np.array_equal(before.people, after.people)
    path.write_text(text)


def broken(name, change):
    def apply(folder):
        path = folder / "meta" / f"ijbc_{name}"
        path.write_text(change(path.read_text()))

    return apply  # fmt: skip


def evaluated(folder, embeddings, weights, *, one_to_n):
    templates = pool_ijb(IjbFolder.find(folder), embeddings, weights=weights)
    (evaluate_ijb_identification if one_to_n else evaluate_ijb_verification)(templates, resamples=2)


@pytest.mark.parametrize(
    ("apply", "one_to_n", "told"),
    [
        (broken("face_tid_mid.txt", lambda text: text[:-8]), False, "expected an image"),
        (broken("face_tid_mid.txt", lambda text: "\n\n"), False, "names no image"),
        (broken("face_tid_mid.txt", lambda text: text + "x.png 900 1\n"), False, "embeddings and the list names"),
        (broken("name_5pts_score.txt", lambda text: text.replace("2.png", "3.png", 1)), False, "is not image"),
        (broken("name_5pts_score.txt", lambda text: text.rpartition(" ")[0]), False, "expected an image, five points"),
        (broken("name_5pts_score.txt", lambda text: text.partition(" ")[0] + " 4\n"), False, "expected an image, five"),
        (broken("name_5pts_score.txt", lambda text: text[: len(text) // 2].rpartition("\n")[0]), False, "ends after"),
        (broken("name_5pts_score.txt", lambda text: text.replace(".", "x", 3)), False, "is not image 1"),
        (broken("template_pair_label.txt", lambda text: text + "5 999 1\n"), False, "without an image"),
        (broken("template_pair_label.txt", lambda text: text + "5 200 2\n"), False, "a label other than"),
        (broken("template_pair_label.txt", lambda text: text + "5 200\n"), False, "expected 3 whole numbers"),
        (broken("template_pair_label.txt", lambda text: "5 200 1\n"), False, "needs pairs labelled 1 and"),
        (broken("1N_gallery_G1.csv", lambda text: text + "5,999,x\n"), True, "has two subjects"),
        (broken("1N_gallery_G1.csv", lambda text: text + "999,1,x\n"), True, "template 999"),
        (broken("1N_probe_mixed.csv", lambda text: "a,b\n1,x\n"), True, "TEMPLATE_ID,SUBJECT_ID"),
        (broken("1N_probe_mixed.csv", lambda text: ""), True, "empty"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, apply, one_to_n, told):
    copy = write_ijb(tmp_path / "set", images=False)
    np.save(tmp_path / "e.npy", np.array([unit(cells) for cells in copy.cells]))
    apply(copy.folder)
    weights = IjbWeights(detector="embeddings" not in told)
    with pytest.raises(InputError, match=told):
        evaluated(copy.folder, tmp_path / "e.npy", weights, one_to_n=one_to_n)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="give the folder that holds meta/"):
        IjbFolder.find(tmp_path)
    write_ijb(tmp_path / "set", images=False)
    (tmp_path / "set/meta/ijbb_face_tid_mid.txt").write_text("")
    with pytest.raises(InputError, match="both"):
        IjbFolder.find(tmp_path / "set")


def test_embeddings_of_nothing_are_refused(tmp_path):
    copy = write_ijb(tmp_path / "set", images=False)
    np.save(tmp_path / "e.npy", np.full((len(copy.cells), 4), np.nan))
    with pytest.raises(InputError, match="no usable embedding"):
        pool_ijb(IjbFolder.find(copy.folder), tmp_path / "e.npy")
    with pytest.raises(InputError, match="none of the"):
        embed_ijb(pattern_pipeline(), IjbFolder.find(copy.folder), tmp_path / "e.npy")
    assert np.load(tmp_path / "e.npy").shape == (len(copy.cells), 4)  # what was there before
    assert {one.name for one in tmp_path.iterdir()} == {"set", "e.npy"}


def test_a_subject_may_occur_on_the_right_of_mated_pairs_only(tmp_path):
    """A mated pair against the subjects: its right template is of somebody who is in no other pair."""
    copy = write_ijb(tmp_path / "set", images=False)
    np.save(tmp_path / "e.npy", np.array([unit(cells) for cells in copy.cells]))
    lone = {template for template, subject in copy.subject.items() if subject == 105}
    kept = [pair for pair in copy.pairs if not lone & set(pair[:2].tolist())]
    np.savetxt(copy.folder / "meta/ijbc_template_pair_label.txt", [*kept, (5, max(lone), 1)], fmt="%d")
    result = evaluate_ijb_verification(pool_ijb(IjbFolder.find(copy.folder), tmp_path / "e.npy"), resamples=20)
    assert any("against the subjects" in note for note in result.notes)
    assert result.figure("tar_at_far.1e-1").interval is not None


def test_seeds_and_resamples_are_checked_before_the_pairs_are_read():
    for evaluate in (evaluate_ijb_verification, evaluate_ijb_identification):
        for wrong in ({"seed": -1}, {"resamples": -1}):
            with pytest.raises(UsageError, match="is a whole number from 0"):
                evaluate(None, **wrong)
