"""Measure the test people whom the use of quality is shown on, once: one .npz a set.

    python benchmarks/quality_use_data.py ../shared/data /tmp/use

People of role ``test``: of LFW the pictures of ``pairs.txt`` and all of people with six or more, of CFP all of both
lists. As stored, and once more with every picture degraded by an operator of the set ``test``. With a third argument
``develop``, CelebA people of that role, their pictures degraded by the set ``fit``.
`publish_quality_policy.py` and `publish_pooling.py` read the files.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from fused_quality_data import measured

from visavis.data.degradation.degrade import Degrading
from visavis.io import open_store
from visavis.pipeline.pipeline import Pipeline
from visavis.protocols.degraded import degraded_pictures
from visavis.protocols.ledger import Ledger
from visavis.protocols.pairs import read_pairs
from visavis.protocols.people import pair_people
from visavis.protocols.quality import joined

LEAST = 6
"""Pictures of a person of LFW of whom all are taken."""


def listed(pairs) -> dict[str, str]:
    """Person of each picture of a list."""
    people = pair_people(pairs)
    return dict(zip((*pairs.image1, *pairs.image2), (*people.person1, *people.person2), strict=True))


def lfw(data: Path, store) -> dict[str, str]:
    """The pictures of the list, and all of test people who have many."""
    ledger, found = Ledger.load(), listed(read_pairs(data / "lfw/pairs.txt"))
    every = {"/".join(name.split("/")[-2:]): name.split("/")[-2] for name in store.names() if name.endswith(".jpg")}
    many = Counter(every.values())
    rich = {one: who for one, who in every.items() if many[who] >= LEAST and ledger.role("lfw", who) == "test"}
    return dict(sorted({**found, **rich}.items()))


def celeba(data: Path, role: str) -> dict[str, str]:
    rows = csv.DictReader((data / "celeba_ids/labels.csv").open())
    ledger = Ledger.load()
    return {
        row["file"]: row["identity"]
        for row in rows
        if row["suspect"] == "0" and ledger.role("celeba_ids", row["identity"]) == role
    }


def main(data: Path, out: Path, role: str) -> None:
    out.mkdir(exist_ok=True)
    how = Degrading("test" if role == "test" else "fit", share=1.0)
    pipeline, ledger = Pipeline(), Ledger.load()
    sets = {"celeba_ids": "celeba_ids/celeba_ids.tar"} if role != "test" else {
        "cfp_dev": "cfp_dev/cfp_dev.tar", "lfw": "lfw/lfw.tar",
    }  # fmt: skip
    for name, archive in sets.items():
        store = open_store(data / archive)
        if name == "celeba_ids":
            people = celeba(data, role)
        elif name == "lfw":
            people = lfw(data, store)
        else:
            people = listed(joined([read_pairs(data / "cfp_dev" / one) for one in ("pairs_FF.csv", "pairs_FP.csv")]))
        roles = ledger.roles(name, set(people.values()))
        assert set(roles) == {role}, roles
        images = list(people)
        sources = [store.get(image) for image in images]
        columns = {f"stored_{key}": value for key, value in measured(pipeline, sources).items()}
        print(name, len(images), "pictures as stored", flush=True)
        worse = measured(pipeline, degraded_pictures(pipeline, sources, images, how))
        columns |= {f"worse_{key}": value for key, value in worse.items()}
        told = np.array([f"{operator.name}:{level}" for operator, level in map(how.drawn, images)])
        np.savez(
            out / f"{name}.npz", images=np.array(images), people=np.array(list(people.values())), operator=told,
            ledger=ledger.hash, **columns,
        )  # fmt: skip
        print(name, len(set(people.values())), "people;", int((~worse["ok"]).sum()), "degraded without a face")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "test")
