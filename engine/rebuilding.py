"""Rebuilding: a saved state that cannot be read is made again from a whole journal.

The tokens of Bytewax and the saved states belong together, so both are set aside, and the flow
begins at the journal's first record, under the sets of rules that were active then.  It decides
every warning again; the egress log recognises those that were sent.

From a part of the journal that begins in the middle, warnings would be numbered from one again,
and taken for those that consumers have already; so then a person must decide.
"""

import shutil
from pathlib import Path
from typing import Final

import structlog

from engine.errors import StateUnreadable, StoreError

ASIDE: Final = ".unreadable"
FOLDERS: Final = ("state", "recovery")

log = structlog.get_logger()


def set_aside(data: Path, first_offset: int, fault: StateUnreadable) -> None:
    """Put states and tokens away, so that the flow begins anew; StoreError where it must not."""
    if first_offset > 0:
        message = (
            f"{fault}; it cannot be made again, for the journal has no more what came before "
            f"offset {first_offset}: put the file back from a backup, or delete `state` and "
            "`recovery`, and every standing warning is forgotten"
        )
        raise StoreError(message) from None
    try:
        for name in FOLDERS:
            aside = data / f"{name}{ASIDE}"
            if aside.exists():
                shutil.rmtree(aside)
            if (data / name).exists():
                (data / name).rename(aside)
    except OSError as error:
        message = f"{data}: unreadable states cannot be set aside: {error.strerror or error}"
        raise StoreError(message) from error
    log.warning("state_rebuilt", reason=str(fault), aside=[f"{name}{ASIDE}" for name in FOLDERS])
