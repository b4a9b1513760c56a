"""What a rule pack says, after it has been read and found right: frozen, and free of YAML.

Durations are int64 nanoseconds. Quantities are expressions in the scale of the rule's input. Maps
by grade hold exactly the grades that the rule has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rules.errors import Fault, Faults, Place
from rules.expression import Node
from rules.grade import Grade
from rules.message import Message
from rules.phrases import Language
from rules.scenario import Scenario
from rules.units import Scale

Texts = Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class Input:
    """The readings a rule looks at: a sensor type, and the unit they must come in."""

    type: str
    unit: str
    scale: Scale
    period_ns: int | None
    kind: Literal["gauge", "increment", "counter", "waveform"] | None


@dataclass(frozen=True, slots=True)
class Quality:
    """When data are too old, too few or outside the sensor's range, and what follows.

    None means that the rule does not say: three periods for `stale_after_ns`, at least 10 s.
    """

    stale_after_ns: int | None = None
    coverage: float | None = None
    over: Literal["ignore", "raise", "unknown"] = "ignore"
    over_grade: Grade | None = None
    under: Literal["ignore", "unknown"] = "ignore"
    max_blind_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """One value and a threshold per grade, going above or below.

    above: on when value >= enter, clear when value < clear. below: on when value <= enter, clear
    when value > clear. `shown` is the unit the thresholds were written in.
    """

    value: Node
    direction: Literal["above", "below"]
    enter: Mapping[Grade, Node]
    clear: Mapping[Grade, Node]
    for_ns: Mapping[Grade, int]
    clear_for_ns: Mapping[Grade, int]
    shown: str


@dataclass(frozen=True, slots=True)
class Level:
    """One grade with a condition of its own; `clear` None means: when `when` is false."""

    when: Node
    clear: Node | None
    for_ns: int
    clear_for_ns: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; exactly one of `ladder` and `levels` is there."""

    pack: str
    id: str
    title: Texts
    hazard: str
    basis: Texts
    mode: Literal["live", "disabled"]
    input: Input
    by: tuple[str, ...]
    quality: Quality
    lateness_ns: int | None
    lets: Mapping[str, Node]
    ladder: Ladder | None
    levels: Mapping[Grade, Level] | None
    latch: frozenset[Grade]
    closure: bool
    cap: Grade | None
    message: Message
    tests: tuple[Scenario, ...]
    model: str | None
    place: Place

    @property
    def grades(self) -> tuple[Grade, ...]:
        """The grades this rule has, from the mildest; those above `cap` included."""
        return tuple(sorted(self.ladder.enter if self.ladder else self.levels or ()))


@dataclass(frozen=True, slots=True)
class Pack:
    """One file of rules; `digest` is the sha256 of its bytes."""

    name: str
    version: str
    digest: str
    owner: str
    path: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """All packs that could be read, and everything that was wrong with any.

    A pack with an error is not among `packs`: half a pack would judge with half its rules.
    """

    packs: tuple[Pack, ...]
    digest: str
    faults: Faults

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, pack by pack."""
        return tuple(rule for pack in self.packs for rule in pack.rules)

    @property
    def errors(self) -> list[Fault]:
        """What keeps packs out."""
        return self.faults.errors()
