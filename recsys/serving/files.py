"""A folder of files that is either whole or not there: a manifest of hashes, and writing that survives a power cut."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys.errors import DamagedBundle, StoreError

MANIFEST = "manifest.json"
FORMAT = 1


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    """The manifest's bytes: size and sha256 of each file, then the sha256 of all that, so that it guards itself too."""
    body = {
        "files": {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in sorted(files.items())},
        "format": FORMAT,
    }
    return _canonical({**body, "sha256": _sha256(_canonical(body))})


def digest_of(manifest: bytes) -> str:
    """The 64 hex digits that stand for the whole folder's content."""
    return str(json.loads(manifest)["sha256"])


def map_verified(folder: Path, names: frozenset[str]) -> tuple[dict[str, memoryview], str]:
    """({name: bytes}, digest) of a folder holding exactly ``names`` by its manifest; every byte hashed, nothing parsed.

    The bytes are read-only maps of the files: processes that map one file share its memory, and what is mapped outlives
    a file that is renamed or unlinked. They are the bytes hashed as long as nobody writes into a file, which has mode
    0444 from the start. Raises DamagedBundle naming the file and the cause.
    """
    raw = _read(folder / MANIFEST)
    entries, digest = _parse_manifest(folder / MANIFEST, raw)
    if set(entries) != names:
        raise _damaged(folder / MANIFEST, f"it lists {sorted(entries)}, not {sorted(names)}")
    files = {}
    for name, (size, sha256) in entries.items():
        data = _mapped(folder / name)
        if len(data) != size:
            raise _damaged(folder / name, f"it has {len(data):,} bytes, the manifest says {size:,}")
        if _sha256(data) != sha256:
            raise _damaged(folder / name, "its sha256 is not the one in the manifest")
        files[name] = data
    return files, digest


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, the manifest last, into a new folder: made beside it, flushed to the disk, renamed into place.

    Raises StoreError when the disk is full or the place cannot be written; nothing half written stays behind.
    """
    partial: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder.parent))
        for name, data in [*files.items(), (MANIFEST, manifest_of(files))]:
            write_synced(partial / name, data, mode=0o444)  # for good: whoever serves it has it mapped
        partial.chmod(0o755)  # mkdtemp gives 0700; whoever serves may be another user than whoever trains
        sync_folder(partial)
        partial.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def write_synced(path: Path, data: bytes, mode: int | None = None) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes) -> None:
    """Swap a file's content in one step that a reader or a power cut sees as before or after. Raises StoreError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write_synced(partial, data)
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError("this cannot be written", where=f"{path}: {error.strerror}", do="mend permissions or free space")


def _parse_manifest(path: Path, raw: bytes) -> tuple[dict[str, tuple[int, str]], str]:
    try:
        manifest: Any = json.loads(raw)
        body = {"files": manifest["files"], "format": manifest["format"]}
        entries = {name: (entry["bytes"], entry["sha256"]) for name, entry in manifest["files"].items()}
        digest = manifest["sha256"]
        canonical = _canonical({**body, "sha256": _sha256(_canonical(body))})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, "it is not a manifest") from error
    if canonical != raw:  # one spelling only: any changed byte changes either the content's hash or the spelling
        raise _damaged(path, "its own sha256 does not match")
    if body["format"] != FORMAT:
        raise _damaged(path, f"it has format {body['format']!r}, this version of recsys reads {FORMAT}")
    return entries, digest


def _canonical(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"


def _sha256(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"it cannot be read ({error.strerror})") from error


def _mapped(path: Path) -> memoryview:
    """The bytes of a file, mapped read-only; the map lasts as long as somebody holds a view of it."""
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:  # there is nothing to map
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it cannot be mapped"
        raise _damaged(path, f"it cannot be read ({why})") from error


def _damaged(path: Path, cause: str) -> DamagedBundle:
    return DamagedBundle(
        f"damaged model file: {cause}", where=str(path), do="publish again, or `recsys models rollback`"
    )
