"""Floor: plain C loops over the memory of the kernels, compiled when they are needed.

`load` gives None where there is no C compiler; then figures stand alone.
"""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

SOURCE = Path(__file__).with_name("floor.c")
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")

Argument: TypeAlias = npt.NDArray[np.generic] | int | None
Word: TypeAlias = ctypes.c_void_p | ctypes.c_int64


@dataclass(frozen=True, slots=True)
class Call:
    """One loop with its arguments ready: to turn them into addresses takes 1 µs each."""

    loop: Callable[..., None]
    words: tuple[Word, ...]
    # The arrays stay while their addresses are in use.
    arguments: tuple[Argument, ...]

    def __call__(self) -> None:
        """Run the loop."""
        self.loop(*self.words)


@dataclass(frozen=True, slots=True)
class Floor:
    """The loops of floor.c by name; arrays go as their address, whole numbers as int64."""

    library: ctypes.CDLL

    def bind(self, name: str, *arguments: Argument) -> Call:
        """Prepare one loop. The caller keeps sizes and dtypes as floor.c has them."""
        loop = self.library[name]
        loop.restype = None
        return Call(loop, tuple(_word(one) for one in arguments), arguments)


def load() -> Floor | None:
    """Compile floor.c into a folder that is gone again before this returns."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "floor.so"
        subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(library)], check=True)
        return Floor(ctypes.CDLL(str(library)))


def _word(argument: Argument) -> Word:
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    assert argument.flags.c_contiguous
    return ctypes.c_void_p(argument.ctypes.data)
