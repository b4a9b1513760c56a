"""Activations: the sets of rules that have judged, kept as long as the journal can ask for them.

A set is all that decides what a reading means: the texts of the packs, the catalogue, the keys of
engine.yaml that change judging, and the day, where an override ends before it.  It acts from the
place in the journal where a record names its digest, so whoever plays the journal again must have
it as it was then, whatever the files of today say.

    activations/
      <digest>/manifest.json    what the set is made of; its sha256 is the digest
      <digest>/rules/<n>/…      the packs below the nth entry of `rules`, or the pack it is
      catalogues/<digest>/      the four files of a catalogue, shared by the sets that have it
      history                   a line for each activation: its offset and the set's digest

A folder is written under another name, synced and renamed, before any record names it.  The
history repeats what the journal says, so that nobody has to read all of it for one question; an
activation that is about to be written is announced there first, as `pending`.
"""

import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from engine.calendars import ZONE_DEFAULT
from engine.config import EngineConfig, ModelConfig
from engine.errors import StoreError
from engine.registry import FILES
from rules.book import SUFFIXES
from rules.pack import Pack

FORMAT: Final = 1
# The keys of engine.yaml that change what a reading means, as EngineConfig has them.
JUDGING: Final = ("clock", "status", "shards", "silence_ns", "future_max_ns", "time_zone")
MANIFEST: Final = "manifest.json"
CATALOGUES: Final = "catalogues"
HISTORY: Final = "history"
PENDING: Final = "pending"
ACTIVATION: Final = "activation "

# The texts of packs by their places: `rules/<number of the entry>/<path below it>`.
Texts = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """From this offset of the journal on, this set judges."""

    offset: int
    digest: str


def read_texts(entries: Sequence[Path]) -> dict[str, bytes]:
    """All files that the packs of some files and folders are read from, as they are now."""
    texts: dict[str, bytes] = {}
    for number, entry in enumerate(entries):
        if not entry.is_dir():
            texts[f"rules/{number}/{entry.name}"] = entry.read_bytes()
            continue
        for path in sorted(entry.rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                texts[f"rules/{number}/{path.relative_to(entry)}"] = path.read_bytes()
    return texts


def describe(
    config: EngineConfig, catalogue_digest: str, texts: Texts, packs: Sequence[Pack], *, since: str
) -> bytes:
    """The manifest of a set: the same for the same set, wherever its files lie.

    since  the day from which on some overrides hold no longer; empty while all hold
    """
    described: dict[str, object] = {
        "format": FORMAT,
        "config": _judging(config),
        "models": [_without_default(asdict(model), "version", "") for model in config.models],
        "catalogue": catalogue_digest,
        "folders": [entry.is_dir() for entry in config.rules],
        "files": {place: hashlib.sha256(text).hexdigest() for place, text in texts.items()},
        "packs": [[pack.name, pack.version, pack.digest] for pack in packs],
    }
    if since:
        described["since"] = since
    return json.dumps(described, sort_keys=True, ensure_ascii=False, indent=1).encode()


def _judging(config: EngineConfig) -> dict[str, object]:
    """The keys that change judging; a zone only where it is not what sets before it had."""
    keys = {key: getattr(config, key) for key in JUDGING}
    return _without_default(keys, "time_zone", ZONE_DEFAULT)


def _without_default(described: dict[str, object], key: str, default: str) -> dict[str, object]:
    """What was kept before a key existed keeps its digest, on which its folder is named."""
    return {k: value for k, value in described.items() if k != key or value != default}


def header_of(digest: str) -> bytes:
    """The header of the record that activates a set."""
    return f"{ACTIVATION}{digest}".encode("ascii")


def digest_in(header: bytes) -> str | None:
    """The set that a record activates; None for records from before sets were kept."""
    text = header.decode(errors="replace")
    return text.removeprefix(ACTIVATION) if text.startswith(ACTIVATION) else None


def digest_of(manifest: bytes) -> str:
    """The name of a set."""
    return hashlib.sha256(manifest).hexdigest()


class Activations:
    """The folder of the sets, and which of them judged where."""

    def __init__(self, folder: Path, durable_offset: int) -> None:
        """Open the folder; what the history says beyond the journal's end never came to be."""
        self.folder = folder
        self.is_pending = False
        self.entries: list[Entry] = []
        # The flow notes what it reads, the loader what it has written.
        self._lock = threading.Lock()
        try:
            (folder / CATALOGUES).mkdir(parents=True, exist_ok=True, mode=0o700)
            for draft in [*folder.glob("*.draft-*"), *folder.glob(f"{CATALOGUES}/*.draft-*")]:
                shutil.rmtree(draft)
            self._read_history()
        except OSError as fault:
            raise _told(fault, folder, "cannot be opened") from fault
        if any(entry.offset > durable_offset for entry in self.entries):
            self.entries = [e for e in self.entries if e.offset <= durable_offset]
            self._write_history()

    @classmethod
    def reading(cls, folder: Path, durable_offset: int) -> "Activations":
        """The folder as it is, for whoever only looks: nothing is made, removed or written."""
        found = cls.__new__(cls)
        found.folder, found.is_pending, found.entries = folder, False, []
        found._lock = threading.Lock()
        found._read_history()
        found.entries = [entry for entry in found.entries if entry.offset <= durable_offset]
        return found

    @property
    def last(self) -> str | None:
        """The set that was activated last; None where that is not known for sure."""
        return self.entries[-1].digest if self.entries and not self.is_pending else None

    def active_at(self, offset: int) -> str | None:
        """The set that judges the record at an offset; None where nobody has written it down."""
        found = [entry.digest for entry in self.entries if entry.offset <= offset]
        return found[-1] if found else None

    def has(self, digest: str) -> bool:
        """The set is here."""
        return (self.folder / digest / MANIFEST).exists()

    def shard_count(self, digest: str) -> int:
        """How many shards a kept set has."""
        manifest = json.loads((self.folder / digest / MANIFEST).read_bytes())
        return int(manifest["config"]["shards"])

    def day_of(self, digest: str) -> str:
        """The day that a kept set was made for, as far as its overrides depend on it."""
        manifest = json.loads((self.folder / digest / MANIFEST).read_bytes())
        return str(manifest.get("since", ""))

    def keep(self, manifest: bytes, texts: Texts, catalogue: Path) -> str:
        """Keep a set for good, before a record of the journal names it; returns its digest.

        catalogue  the folder of which the manifest gives the digest
        """
        digest = digest_of(manifest)
        catalogue_digest = str(json.loads(manifest)["catalogue"])
        try:
            home = self.folder / CATALOGUES / catalogue_digest
            if not home.exists():
                self._place(home, {name: (catalogue / name).read_bytes() for name in FILES})
            self._place(self.folder / digest, {MANIFEST: manifest, **texts})
        except OSError as fault:
            raise _told(fault, self.folder / digest, "cannot be written") from fault
        return digest

    def configuration(self, digest: str, today: EngineConfig) -> EngineConfig:
        """The configuration under which a kept set judged, its paths in this folder."""
        home = self.folder / digest
        try:
            manifest = (home / MANIFEST).read_bytes()
        except OSError as fault:
            text = "is needed to judge what the journal holds, and cannot be read"
            raise _told(fault, home / MANIFEST, text) from fault
        if digest_of(manifest) != digest:
            message = f"{home / MANIFEST}: damaged: it is not what its digest says"
            raise StoreError(message)
        described = json.loads(manifest)
        if described["format"] != FORMAT:
            message = f"{home}: of format {described['format']}, this engine reads {FORMAT}"
            raise StoreError(message)
        self._check(home, described["files"])
        entries = []
        for number, is_folder in enumerate(described["folders"]):
            entry = home / "rules" / str(number)
            entry.mkdir(parents=True, exist_ok=True)
            entries += [entry] if is_folder else sorted(entry.iterdir())
        return replace(
            today,
            catalogue=self.folder / CATALOGUES / described["catalogue"],
            rules=tuple(entries),
            models=tuple(_model(model) for model in described["models"]),
            **{"time_zone": ZONE_DEFAULT, **described["config"]},
        )

    def announce(self) -> None:
        """An activation is about to be written to the journal."""
        with self._lock:
            self.is_pending = True
            self._write_history()

    def note(self, offset: int, digest: str) -> None:
        """From this offset on a set judges: it has been read there, or durably written."""
        with self._lock:
            if Entry(offset, digest) in self.entries:
                return
            self.entries = sorted([*self.entries, Entry(offset, digest)], key=_offset)
            self.is_pending = False
            self._write_history()

    def forget(self, first_offset: int) -> int:
        """Drop the sets that judged only what the journal has no more; returns how many."""
        with self._lock:
            judging = [entry for entry in self.entries if entry.offset <= first_offset][-1:]
            needed = [*judging, *(e for e in self.entries if e.offset > first_offset)]
            if len(needed) == len(self.entries):
                return 0
            digests = {entry.digest for entry in needed}
            gone = {entry.digest for entry in self.entries} - digests
            self.entries = needed
            self._write_history()
        catalogues = set()
        for digest in digests:
            described = json.loads((self.folder / digest / MANIFEST).read_bytes())
            catalogues.add(described["catalogue"])
        for digest in gone:
            shutil.rmtree(self.folder / digest, ignore_errors=True)
        for path in (self.folder / CATALOGUES).iterdir():
            if path.name not in catalogues:
                shutil.rmtree(path, ignore_errors=True)
        return len(gone)

    def _place(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Make a folder with its files, whole or not at all, and durable."""
        if folder.exists():
            return
        draft = Path(tempfile.mkdtemp(prefix=f"{folder.name[:16]}.draft-", dir=folder.parent))
        folders = {draft}
        for name, text in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folders |= {p for p in path.parents if p.is_relative_to(draft)}
            with path.open("wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        for inner in folders:
            _sync_folder(inner)
        draft.rename(folder)
        _sync_folder(folder.parent)

    def _check(self, home: Path, files: Mapping[str, str]) -> None:
        """Whoever judges by a set that is not the one that judged, tells another story."""
        for place, digest in files.items():
            try:
                text = (home / place).read_bytes()
            except OSError as fault:
                raise _told(fault, home / place, "cannot be read") from fault
            if hashlib.sha256(text).hexdigest() != digest:
                message = f"{home / place}: damaged: it is not what the set's manifest says"
                raise StoreError(message)

    def _read_history(self) -> None:
        path = self.folder / HISTORY
        lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
        for line in lines:
            if line == PENDING:
                self.is_pending = True
                continue
            offset, digest = line.split()
            self.entries.append(Entry(int(offset), digest))
            self.is_pending = False

    def _write_history(self) -> None:
        """The whole history anew: it has as many lines as there are sets to keep."""
        path = self.folder / HISTORY
        draft = path.with_suffix(".new")
        lines = [f"{entry.offset} {entry.digest}\n" for entry in self.entries]
        lines += [f"{PENDING}\n"] if self.is_pending else []
        try:
            with draft.open("w", encoding="ascii") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
            _sync_folder(self.folder)
        except OSError as fault:
            raise _told(fault, path, "cannot be written") from fault


def _offset(entry: Entry) -> int:
    return entry.offset


def _model(described: Mapping[str, object]) -> ModelConfig:
    """A model as its manifest has it: JSON knows lists where the configuration has tuples."""
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in described.items()}
    return ModelConfig(**plain)  # type: ignore[arg-type]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told(fault: OSError, path: Path, what: str) -> StoreError:
    return StoreError(f"{path}: {what}: {fault.strerror or fault}")
