"""What to say about the people that figures are read off."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from visavis.protocols.ledger import UNLISTED, Ledger

NAMELESS = "The files name no people: their roles in the ledger are not known."


def role_notes(roles: Mapping[str, int], *, calibrated: bool) -> list[str]:
    """Sentences that belong next to figures.

    Args:
        roles: People by role, see `Ledger.roles`.
        calibrated: Whether a calibration was used, so that its people count as fitted on.
    """
    notes = []
    if roles.get(UNLISTED):
        notes.append(
            f"{roles[UNLISTED]} of the people are not in the ledger: nothing rules out that the model was trained on "
            "them."
        )
    seen = sum(roles.get(role, 0) for role in ("train", "develop", *(("calibrate",) if calibrated else ())))
    if seen:
        notes.append(
            f"{seen} of the people are set aside for training, development or calibration: no figure here is a "
            "held-out result."
        )
    return notes


def roles_touched(
    set_name: str | None, people: Iterable[str], *, calibrated: bool = False
) -> tuple[dict[str, int], str, tuple[str, ...]]:
    """The people of a result by role, the sha256 of the ledger, and `role_notes`."""
    ledger = Ledger.load()
    roles = ledger.roles(set_name, people)
    return roles, ledger.hash, tuple(role_notes(roles, calibrated=calibrated))
