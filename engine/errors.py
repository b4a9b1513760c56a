"""Errors: everything that ends a command, who must act on it, and the exit code it ends with.

There are three kinds of wrong, and only two of them are exceptions of this tree:

    ours            a broken promise inside the code: `assert`, shown by the command line as
                    an internal error (exit 70); a programmer must act
    the operator's  found before the first frame, with its place and every other fault
    the world's     the disk or the other end of a link; while the engine runs, most of the
                    world's wrongs are meters and reasons, and only those below end a command

    TocsinError                   kind         who must act                            exit
     ├─ UsageError                operator's   who typed the command                      2
     ├─ ConfigError               operator's   who wrote the file it names               78
     ├─ UnreachableError          world's      who runs the other end of the link        69
     └─ DiskError                 world's      who looks after the machine's disks       74
         ├─ JournalError          world's      the same; frames are no longer acknowledged
         │   ├─ JournalDamaged    world's      the same; names the segment and the offset
         │   └─ JournalLocked     world's      who started a second engine on one folder
         ├─ EgressError           world's      the same; warnings are no longer published
         └─ StoreError            world's      the same; a set of rules or a state is not there
             └─ StateUnreadable   nobody's     the state is made again from a whole journal

An interrupted command ends with 130, findings of `check` and failed tests with 1, success
with 0. A bad frame, a bad reading and a slow consumer are not errors: they are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.errors import Fault

EXIT_OK: Final = 0
EXIT_FINDINGS: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 69
EXIT_INTERNAL: Final = 70
EXIT_DISK: Final = 74
EXIT_CONFIG: Final = 78
EXIT_INTERRUPTED: Final = 130


class TocsinError(Exception):
    """Something that ends a command; its text is a sentence for the one who must act."""

    exit_code: ClassVar[int] = EXIT_INTERNAL


class UsageError(TocsinError):
    """The command line asks for something that is not there, such as an unknown column."""

    exit_code = EXIT_USAGE


class ConfigError(TocsinError):
    """The configuration, the catalogue or the rules cannot be used; carries every fault."""

    exit_code = EXIT_CONFIG

    def __init__(self, faults: Sequence[Fault]) -> None:
        assert faults, "a ConfigError without a fault tells nobody what to mend"
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class UnreachableError(TocsinError):
    """The other end of a link did not answer in time."""

    exit_code = EXIT_UNREACHABLE


class DiskError(TocsinError):
    """A file could not be written, synced or read back as it was written."""

    exit_code = EXIT_DISK


class JournalError(DiskError):
    """The journal cannot be used; nothing may be acknowledged from here on."""


class JournalDamaged(JournalError):
    """A record in the middle of the journal is not what was written.

    A torn tail is no damage: it was never acknowledged, and is cut. Damage before the tail
    means that acknowledged frames are gone, and only a person may decide to go on.
    """

    def __init__(self, segment: str, offset: int, reason: str) -> None:
        self.segment = segment
        self.offset = offset
        self.reason = reason
        super().__init__(f"journal segment {segment} is damaged at offset {offset}: {reason}")


class JournalLocked(JournalError):
    """Another engine holds the journal's folder."""


class EgressError(DiskError):
    """The egress log cannot be written; no warning may be published from here on."""


class StoreError(DiskError):
    """A saved state, or a set of rules that the journal needs, cannot be kept or had again."""


class StateUnreadable(StoreError):
    """A saved state is gone or damaged; where the journal is whole, it is made again from it."""
