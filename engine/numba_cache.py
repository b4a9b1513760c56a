"""Where compiled kernels are kept, decided before Numba is first imported.

Numba's own key misses edits in another file and fails at import when its folder cannot be
written.  So the folder is named by a hash of all kernel sources, is one that this user can write,
and is chosen here, once, before any kernel is imported.
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"
KERNELS = Path(__file__).resolve().parent.parent / "kernels"


def prepare_cache() -> Path:
    """Name a writable folder for compiled kernels in the environment; call before the import."""
    assert "numba" not in sys.modules, "Numba has already chosen its folder"
    folder = _chosen() / f"tocsin-{source_digest()}"
    os.environ[VARIABLE] = str(folder)
    return folder


def cache_folder() -> Path:
    """The folder that was chosen."""
    return Path(os.environ.get(VARIABLE, ""))


def source_digest() -> str:
    """Changes with any line of any kernel, and with nothing else."""
    sums = hashlib.sha256()
    for path in sorted(KERNELS.glob("*.py")):
        sums.update(path.name.encode() + b"\0" + path.read_bytes())
    return sums.hexdigest()[:16]


def _chosen() -> Path:
    """The first folder that can be written: as configured, the user's cache, a temporary one."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    wishes = [os.environ.get(VARIABLE), os.path.join(home, "tocsin")]
    for wish in wishes:
        if wish and _is_writable(Path(wish)):
            return Path(wish)
    return Path(tempfile.mkdtemp(prefix="tocsin-kernels-"))


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
