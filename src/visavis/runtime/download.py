"""Resumable, checked downloads of weights that a user asked for by name."""

from __future__ import annotations

import hashlib
import logging
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from filelock import FileLock

from visavis._require import require
from visavis.cards import HubFile, UrlFile
from visavis.errors import ModelError
from visavis.runtime.cache import cache_folder

_log = logging.getLogger("visavis")
_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30.0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_url(source: UrlFile, *, sha256: str) -> Path:
    """Download once, going on where an earlier try stopped.

    Args:
        source: An https address (http is accepted for this machine only).
        sha256: Expected digest.

    Returns:
        The file in the cache folder.

    Raises:
        ModelError: No connection, a refusal, or another digest than expected (the file is then removed).
    """
    url = source.url
    parts = urllib.parse.urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not local:
        raise ModelError(f"weights are downloaded over https only; got {url}", reason="model.refused")
    folder = cache_folder() / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha256[:16]}-{Path(url.partition('?')[0]).name or 'weights'}"
    with FileLock(f"{path}.lock"):
        if path.exists() and _digest(path) == sha256:
            return path
        part = path.with_name(path.name + ".part")
        _resume(url, part)
        found = _digest(part)
        if found != sha256:
            part.unlink()
            raise ModelError(
                f"{url} has sha256 {found}, expected {sha256}; it was removed, nothing was loaded",
                reason="model.damaged",
            )
        part.replace(path)
    return path


def _resume(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            resumed = have > 0 and answer.status == 206
            with part.open("ab" if resumed else "wb") as file:
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
            if answer.length:
                raise ConnectionError(f"{answer.length} bytes are missing")
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            return
        raise ModelError(f"{url} answered {error.code} {error.reason}; place the file in VISAVIS_MODELS") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise ModelError(
            f"{url} cannot be reached ({error}); run again to go on, or place the file in the folder VISAVIS_MODELS"
        ) from error


def fetch_hub(source: HubFile, *, sha256: str) -> Path:
    """Download from the Hugging Face hub through its own resumable cache, then check the digest.

    Raises:
        DependencyError: huggingface_hub is not installed.
        ModelError: The hub cannot be reached or does not have the file, or the digest differs.
    """
    hub = require("huggingface_hub", extra="hub", why="a model on the Hugging Face hub")
    errors = require("huggingface_hub.errors", extra="hub", why="a model on the Hugging Face hub")
    try:
        path = Path(hub.hf_hub_download(source.repo, source.path, revision=source.revision))
    except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{source.repo}/{source.path} cannot be had from the hub ({type(error).__name__}); place the file in the "
            "folder VISAVIS_MODELS"
        ) from error
    found = _digest(path)
    if found != sha256:
        raise ModelError(
            f"{source.repo}/{source.path} has sha256 {found}, expected {sha256}; it is not loaded",
            reason="model.damaged",
        )
    return path
