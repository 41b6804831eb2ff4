"""visavis gallery update, remove, merge, move, purge: a gallery set right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli import options
from visavis.cli.gallery_look import File, PersonId, opened
from visavis.cli.gallery_values import entries, moment
from visavis.cli.output import console, print_json, shown
from visavis.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from visavis.gallery.consent import Consent
    from visavis.gallery.person import Person

Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the correction.")]
_NEVER = "never"


def update(
    file: File,
    person: PersonId,
    name: Annotated[str | None, typer.Option("--name", help="Name for people to read.")] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", help="Metadata: key=text or key:=JSON; may be repeated.")
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", help="Metadata to take away, by key; may be repeated.")
    ] = None,
    consent: Annotated[
        str | None, typer.Option("--consent", help="Basis on which the person agreed, given at this moment.")
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Consent is taken back: the person is not found any more.")
    ] = False,
    expires: Annotated[
        str | None, typer.Option("--expires", help="Date from which the person is not to be found; never for none.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Change what is known of a person; what is not given stays.

    A person who withdrew consent, or whose date is over, is not found any more, and is erased by visavis gallery purge.

    Example: visavis gallery update staff.gallery ann --name "Ann Lee" --set team=night --expires 2030-12-31
    """
    if consent is not None and withdraw:
        raise UsageError("--consent and --withdraw contradict each other; give one of them")
    changed: dict[str, Any] = {} if name is None else {"name": name}
    if expires is not None:
        changed["expires"] = None if expires == _NEVER else moment(expires, option="--expires")
    new = entries(given or [], option="--set")
    with opened(file) as gallery, gallery.transaction():
        before = gallery.person(person)
        if new or unset:
            changed["metadata"] = _without(before, unset or []) | new
        if consent is not None or withdraw:
            changed["consent"] = _consent(before, consent)
        if not changed:
            raise UsageError("nothing to change; give --name, --set, --unset, --consent, --withdraw or --expires")
        after = gallery.update_person(person, **changed)
    _answer(after.to_dict(), f"{person} is changed: {', '.join(changed)}", as_json)


def remove(
    file: File,
    reason: Reason,
    person: Annotated[str | None, typer.Argument(metavar="[PERSON]", help="Id of a person to erase.")] = None,
    sample: Annotated[int | None, typer.Option("--sample", help="Number of a sample to erase instead.")] = None,
    as_json: options.Json = False,
) -> None:
    """Erase a person with all samples, or one sample.

    Examples: visavis gallery remove staff.gallery ann --reason "left the company";
    visavis gallery remove staff.gallery --sample 17 --reason "nobody's face"
    """
    if (person is None) == (sample is None):
        raise UsageError("give the id of a person, or --sample with the number of a sample; one of the two")
    with opened(file) as gallery:
        if person is not None:
            count = gallery.person(person).samples
            gallery.remove_person(person, reason=reason)
            text = f"{person} is erased; samples: {count}"
        else:
            assert sample is not None
            gallery.remove_sample(sample, reason=reason)
            text = f"sample {sample} is erased"
        wiped = gallery.is_wiped
    _answer({"removed": {"person": person, "sample": sample}, "wiped": wiped}, text, as_json)
    _tell(file, wiped, as_json)


def merge(
    file: File,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Id of the person who goes.")],
    into: Annotated[str, typer.Argument(metavar="INTO", help="Id of the person who stays.")],
    reason: Reason,
    as_json: options.Json = False,
) -> None:
    """Two people are one: all samples go to the second, whose name, metadata and consent stay.

    Example: visavis gallery merge staff.gallery ann-2 ann --reason "enrolled twice"
    """
    with opened(file) as gallery:
        with gallery.transaction():
            gallery.merge_people(source, into, reason=reason)
            after = gallery.person(into)
        wiped = gallery.is_wiped
    _answer(after.to_dict() | {"wiped": wiped}, f"{source} is merged into {into}; samples: {after.samples}", as_json)
    _tell(file, wiped, as_json)


def move(
    file: File,
    sample: Annotated[int, typer.Argument(metavar="SAMPLE", help="Number of a sample, see visavis gallery show.")],
    to: Annotated[str, typer.Option("--to", help="Id of the person whose it is.")],
    reason: Reason,
    as_json: options.Json = False,
) -> None:
    """Give a sample to the person whose it is.

    Example: visavis gallery move staff.gallery 17 --to bob --reason "wrong folder"
    """
    with opened(file) as gallery:
        gallery.move_sample(sample, to=to, reason=reason)
    _answer({"sample": sample, "person": to}, f"sample {sample} is {to}'s", as_json)


def purge(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list who would be erased.")] = False,
    as_json: options.Json = False,
) -> None:
    """Erase everybody who expired or withdrew consent, with all samples, templates and crops.

    Example: visavis gallery purge staff.gallery
    """
    now = datetime.now(UTC)
    with opened(file) as gallery:
        if dry_run:
            gone = [person.person for person in gallery.people() if not person.usable(now)]
        else:
            gone = gallery.purge(now=now)
        wiped = gallery.is_wiped
    text = f"{'to be erased' if dry_run else 'erased'}: {', '.join(gone) or 'nobody'}"
    _answer({"gallery": str(file), "purged": gone, "dry_run": dry_run, "wiped": wiped}, text, as_json)
    if not dry_run:
        _tell(file, wiped, as_json)


def _without(person: Person, keys: list[str]) -> dict[str, Any]:
    missing = [key for key in keys if key not in person.metadata]
    if missing:
        raise UsageError(f"the metadata of {person.person!r} has no {', '.join(missing)}; leave --unset out")
    return {key: value for key, value in person.metadata.items() if key not in keys}


def _consent(person: Person, basis: str | None) -> Consent:
    from dataclasses import replace

    from visavis.gallery.consent import Consent

    now = datetime.now(UTC)
    if basis is not None:
        return Consent(basis, now)
    if person.consent is None:
        return Consent("not written down", person.created, withdrawn=now)
    return replace(person.consent, withdrawn=person.consent.withdrawn or now)


def _tell(file: Path, wiped: bool, as_json: bool) -> None:
    """Say that bytes of what was erased are still on the disk, where they are."""
    if not wiped and not as_json:
        console().print(
            f"copies of what was erased may be left in {shown(file)} and its -wal: others use it, or it is large; "
            "visavis gallery purge writes it anew"
        )


def _answer(document: dict[str, Any], text: str, as_json: bool) -> None:
    print_json(document) if as_json else console().print(shown(text))
