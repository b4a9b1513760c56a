"""Model state: a learnt model as bytes of our own, never as a pickle.

A model of river is a graph of plain objects.  Each object is written as how to build it again:
its class, the arguments and the state that the object itself hands out for copying
(`__reduce_ex__`).  Reading builds nothing but classes that the modules named here define
themselves (`random:_os.system` is not one), so a spoilt file can break a model, but cannot run
anything of its choosing.
"""

import importlib
from collections.abc import Callable, Iterable
from typing import cast

import msgpack
import numpy as np

VERSION = 1
TRUSTED = ("river.", "collections.", "random.", "numpy.random.")
TRUSTED_EXACTLY = frozenset(
    {
        "copyreg:__newobj__",
        "copyreg:_reconstructor",
        "builtins:object",
        "builtins:set",
        "builtins:frozenset",
        "builtins:dict",
        "builtins:float",
        "builtins:int",
        "builtins:list",
        "builtins:str",
        "builtins:tuple",
        "collections:deque",
        "collections:defaultdict",
        "collections:OrderedDict",
        "collections:Counter",
        "random:Random",
        "functools:partial",
    }
)
# Packages of river that read and write files; no model is made of them.
UNTRUSTED = ("river.datasets.", "river.stream.")
# Functions that build objects when a copy is made; all other builders are classes.
BUILDERS = frozenset(
    {
        "copyreg:__newobj__",
        "copyreg:_reconstructor",
        "numpy.random._pickle:__bit_generator_ctor",
        "numpy.random._pickle:__generator_ctor",
        "numpy.random._pickle:__randomstate_ctor",
    }
)
# What wrong bytes can lead to, in their structure or in the classes that they build.
SPOILT = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError),
    *(AssertionError, MemoryError, msgpack.UnpackException),
)
PLAIN = (type(None), bool, float, str, bytes)
INT64 = 1 << 63

Cell = list[object]


class UntrustedState(ValueError):
    """A saved model names something that no model of ours is made of."""


def encode(model: object) -> bytes:
    """Write a model; TypeError names what in it has no form of its own."""
    writer = _Writer()
    root = writer.place(model)
    packed: bytes = msgpack.packb([VERSION, root, writer.cells], use_bin_type=True)
    return packed


def decode(packed: bytes) -> object:
    """Read a model; its scores go on exactly as they would have."""
    try:
        version, root, cells = msgpack.unpackb(packed, strict_map_key=False)
        if version != VERSION:
            message = f"a model written by format version {version}; this engine reads {VERSION}"
            raise UntrustedState(message)
        return _Reader(cells).build(root)
    except UntrustedState:
        raise
    except SPOILT as error:
        message = f"a saved model is spoilt: {type(error).__name__}: {error}"
        raise UntrustedState(message) from error


class _Writer:
    """Objects become numbered cells; what is shared is written once."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []
        self.numbers: dict[int, int] = {}
        # An object that is only lent for writing must outlive its number.
        self.alive: list[object] = []

    def place(self, item: object) -> int:
        """The number of the cell of an object."""
        known = self.numbers.get(id(item))
        if known is not None:
            return known
        number = len(self.cells)
        self.numbers[id(item)] = number
        self.alive.append(item)
        self.cells.append([])
        self.cells[number] = self._cell(item)
        return number

    def _cell(self, item: object) -> Cell:
        if isinstance(item, PLAIN):
            return ["=", item]
        if type(item) is int:
            return ["=", item] if -INT64 <= item < INT64 else ["i", str(item)]
        if isinstance(item, type) or (callable(item) and hasattr(item, "__qualname__")):
            return ["c", _name_of(item)]
        if isinstance(item, np.ndarray | np.generic):
            array = np.asarray(item)
            return ["n", array.dtype.str, list(array.shape), array.tobytes(), array is item]
        if type(item) in (list, tuple):
            kind = "l" if type(item) is list else "t"
            return [kind, [self.place(part) for part in cast(Iterable[object], item)]]
        if type(item) is dict:
            return ["d", [[self.place(k), self.place(v)] for k, v in item.items()]]
        return self._object(item)

    def _object(self, item: object) -> Cell:
        made = item.__reduce_ex__(2)
        if isinstance(made, str):
            message = f"{type(item).__name__} has no state of its own to save"
            raise TypeError(message)
        build, arguments, state, items, pairs = (*made, None, None, None)[:5]
        return [
            "o",
            _name_of(build),
            self.place(tuple(arguments)),
            self.place(state),
            None if items is None else [self.place(part) for part in items],
            None if pairs is None else [[self.place(k), self.place(v)] for k, v in pairs],
        ]


class _Reader:
    """Numbered cells become objects again."""

    def __init__(self, cells: list[Cell]) -> None:
        self.cells = cells
        self.built: dict[int, object] = {}

    def build(self, number: int) -> object:
        """The object of a cell, built once."""
        if number not in self.built:
            self._build(number, self.cells[number])
        return self.built[number]

    def _build(self, number: int, cell: Cell) -> None:
        match cell:
            case ["=", value]:
                self.built[number] = value
            case ["i", str(text)]:
                self.built[number] = int(text)
            case ["c", str(name)]:
                self.built[number] = _trusted(name)
            case ["n", dtype, shape, raw, is_array]:
                flat = np.frombuffer(cast(bytes, raw), dtype=np.dtype(str(dtype)))
                array = flat.reshape(cast(list[int], shape)).copy()
                self.built[number] = array if is_array else array[()]
            case ["l", list(parts)]:
                row: list[object] = []
                self.built[number] = row
                row.extend(self.build(part) for part in parts)
            case ["t", list(parts)]:
                self.built[number] = tuple(self.build(part) for part in parts)
            case ["d", list(pairs)]:
                mapping: dict[object, object] = {}
                self.built[number] = mapping
                mapping.update((self.build(k), self.build(v)) for k, v in pairs)
            case ["o", str(name), arguments, state, items, pairs]:
                self._build_object(number, name, (arguments, state, items, pairs))
            case _:
                message = f"a saved model has a cell of unknown kind {cell[:1]}"
                raise UntrustedState(message)

    def _build_object(self, number: int, name: str, rest: tuple[object, ...]) -> None:
        arguments, state, items, pairs = rest
        build = cast(Callable[..., object], _trusted(name))
        if not isinstance(build, type) and name not in BUILDERS:
            message = f"a saved model may not call {name}"
            raise UntrustedState(message)
        item = build(*cast(tuple[object, ...], self.build(cast(int, arguments))))
        self.built[number] = item
        _set_state(item, self.build(cast(int, state)))
        for part in cast(list[int], items or []):
            item.append(self.build(part))  # type: ignore[attr-defined]
        for key, value in cast(list[list[int]], pairs or []):
            item[self.build(key)] = self.build(value)  # type: ignore[index]


def _set_state(item: object, state: object) -> None:
    if state is None:
        return
    if hasattr(item, "__setstate__"):
        item.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    for part in (state, slots):
        for name, value in cast(dict[str, object], part or {}).items():
            object.__setattr__(item, name, value)


def _name_of(item: object) -> str:
    name = f"{item.__module__}:{item.__qualname__}"  # type: ignore[attr-defined]
    _trusted(name)
    return name


def _trusted(name: str) -> object:
    module, _, path = name.partition(":")
    package = f"{module}."
    is_trusted = package.startswith(TRUSTED) and not package.startswith(UNTRUSTED)
    found: object = None
    if name in TRUSTED_EXACTLY or is_trusted:
        try:
            found = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            found = None
    # By the name that it has itself: nothing is reached through what a module has imported.
    known_as = f"{getattr(found, '__module__', '')}:{getattr(found, '__qualname__', '')}"
    if known_as != name:
        message = f"a saved model may not name {name}"
        raise UntrustedState(message)
    return found
