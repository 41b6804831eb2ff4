"""The quality policies that have a name, and those of files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from visavis.errors import UsageError
from visavis.io.yaml_file import read_mapping
from visavis.quality.policy import QualityPolicy

NAMES = ("none", "default", "strict")
"""``none`` refuses nothing; ``default`` keeps the limits on the card of the recogniser; ``strict`` asks for a fused
score of `STRICT_SCORE` beside them."""
STRICT_SCORE = 60.0
"""The lowest score, in steps of 5, at which a collection of which a third is degraded loses no more of its mated pairs
than the pictures as they are stored; CelebA people of role ``develop``, see docs/results/quality-policy.md. It was
chosen for the default recogniser, whose fused score rests on its norm."""
_SUFFIXES = (".yaml", ".yml", ".json")


def quality_policy(
    policy: str | Path | QualityPolicy, *, limits: Mapping[str, float], strict: bool = True
) -> QualityPolicy:
    """A policy by its name, out of a file, or as given.

    Args:
        policy: One of `NAMES`, a ``.yaml`` or ``.json`` file, or a policy.
        limits: Those on the card of the recogniser.
        strict: Whether ``strict`` was chosen for this recogniser.

    Raises:
        UsageError: An unknown name, ``strict`` for another recogniser, or a file that holds no policy.
        UnreadableError: The file cannot be read.
    """
    if isinstance(policy, QualityPolicy):
        return policy
    text = str(policy)
    if text.lower().endswith(_SUFFIXES):
        fields = read_mapping(text, what="quality policy", holds="limits, scores or enrol")
        found = QualityPolicy.of(fields, name=Path(text).stem)
        if found.name in NAMES:
            raise UsageError(
                f"{text} may not be named {found.name}, as a built-in quality policy; give it another name"
            )
        return found
    if text not in NAMES:
        raise UsageError(f"a quality policy is {', '.join(NAMES)}, or a file .yaml or .json; got {text!r}")
    if text == "none":
        return QualityPolicy("none")
    if text == "default":
        return QualityPolicy("default", tuple(limits.items()))
    if not strict:
        raise UsageError(
            "the quality policy strict was chosen for the default recogniser, whose fused score rests on its norm; for "
            "this one write limits of your own into a file: --quality-policy mine.yaml"
        )
    return QualityPolicy("strict", tuple(limits.items()), (("quality", STRICT_SCORE),))
