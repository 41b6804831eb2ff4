"""A small copy of the layout of IJB-B and IJB-C, with pictures of patterns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from patterns import pattern, picture, varied
from visavis.geometry import ARCFACE_112, transform_points

SUBJECTS = 12


@dataclass
class IjbCopy:
    folder: Path
    cells: list  # greys of the pattern on each image
    table: np.ndarray  # (N, 2): template id, media id
    subject: dict  # template id -> subject id
    pairs: np.ndarray  # (P, 3): template ids and label
    points: np.ndarray  # (N, 5, 2)
    scores: np.ndarray  # (N,)


def write_ijb(folder, name="ijbc", *, seed=0, images=True):
    """Subjects 101..112, of whom the first six are in gallery 1; two probe templates each; ids with gaps."""
    rng = np.random.default_rng(seed)
    one, two = ("G1", "G2") if name == "ijbc" else ("S1", "S2")
    (folder / "meta").mkdir(parents=True)
    (folder / "loose_crop").mkdir()
    people = {101 + number: pattern(rng) for number in range(SUBJECTS)}
    subject = {}
    for number, person in enumerate(people):
        for ids in (5 + number, 200 + 3 * number, 201 + 3 * number):
            subject[ids] = person
    rows, cells = [], []
    for template, person in subject.items():
        for medium in range(int(rng.integers(1, 4))):
            for _ in range(int(rng.integers(1, 4))):
                rows.append((template, 1000 * template + medium))
                cells.append(varied(people[person], rng, spread=40))
    table = np.array(rows)
    order = rng.permutation(len(table))  # the official files are sorted; nothing says that they must be
    table, cells = table[order], [cells[row] for row in order]
    points, scores = _crops(folder, cells, rng, images=images)
    meta = folder / "meta"
    lines = [f"{row + 1}.png {template} {medium}\n" for row, (template, medium) in enumerate(table)]
    (meta / f"{name}_face_tid_mid.txt").write_text("".join(lines))
    columns = np.column_stack([points.reshape(len(table), 10), scores])
    told = [" ".join(f"{value:.4f}" for value in row) for row in columns]
    (meta / f"{name}_name_5pts_score.txt").write_text("".join(f"{i + 1}.png {line}\n" for i, line in enumerate(told)))
    galleries = [template for template in subject if template < 200]
    probes = [template for template in subject if template >= 200]
    pairs = np.array([(a, b, int(subject[a] == subject[b])) for a in galleries for b in probes])
    pairs = pairs[rng.permutation(len(pairs))]
    np.savetxt(meta / f"{name}_template_pair_label.txt", pairs, fmt="%d")
    for rest, members in (
        (f"gallery_{one}", galleries[:6]),
        (f"gallery_{two}", galleries[6:]),
        ("probe_mixed", probes),
    ):
        text = "".join(f"{ids},{subject[ids]},img/{ids}.jpg,{ids}\n" * 2 for ids in members)
        (meta / f"{name}_1N_{rest}.csv").write_text("TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID\n" + text)
    return IjbCopy(folder, cells, table, subject, pairs, points, scores)


def _crops(folder, cells, rng, *, images):
    """Loose crops: each pattern shifted on a larger canvas, and the points of the template where it lies."""
    points, scores = [], rng.uniform(0.5, 1, len(cells)).round(4)
    for row, greys in enumerate(cells):
        matrix = np.array([[1, 0, rng.integers(10, 50)], [0, 1, rng.integers(10, 50)]], float)
        points.append(transform_points(matrix, ARCFACE_112.array()))
        if images:
            canvas = cv2.warpAffine(picture(greys), matrix, (180, 180))
            cv2.imwrite(str(folder / "loose_crop" / f"{row + 1}.png"), canvas)
    return np.array(points), scores
