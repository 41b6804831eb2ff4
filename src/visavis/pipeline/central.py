"""The face that counts in a picture of one person, and how many others there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visavis.types import Faces, Pictures
from visavis.types.protocols import Detector


def central_faces(detector: Detector, pictures: Pictures) -> tuple[Faces, NDArray[np.intp]]:
    """The most central large face of each picture.

    Args:
        detector: Finds the faces.
        pictures: One or more; a row that could not be read stays a failed row.

    Returns:
        One row a picture, and how many faces each picture shows, intp ``(N,)``; 0 where there is none.
    """
    everyone = detector.detect(pictures)
    counts = np.bincount(everyone.picture[everyone.ok], minlength=len(pictures))
    several = np.flatnonzero(counts > 1)
    # The choice is made on the first look's boxes, as in `embed`, so that both take the same face.
    alone = detector.detect(pictures[several], which="central") if len(several) else Faces.empty()
    single = everyone[counts[everyone.picture] < 2]
    chosen = Faces(alone.boxes, alone.score, alone.points, several[alone.picture], alone.status)
    both = Faces.concat([single, chosen])
    return both[np.argsort(both.picture, kind="stable")], counts
