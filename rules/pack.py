"""What a rule pack says, after it has been read and found right: frozen, and free of YAML.

Durations are int64 nanoseconds. Quantities are expressions in the scale of the rule's input. Maps
by grade hold exactly the grades that the rule has.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rules import expression as ex
from rules.errors import Fault, Faults, Place
from rules.expression import Node
from rules.grade import Grade
from rules.message import Message
from rules.phrases import Language
from rules.scenario import Scenario
from rules.units import ONE, Scale
from rules.yaml_text import MapNode
from rules.yaml_text import Node as YamlNode

Texts = Mapping[Language, str]


@dataclass(frozen=True, slots=True)
class Input:
    """The readings a rule looks at: a sensor type, and the unit they must come in.

    Type `*` means every sensor type, each in its own unit. `many`: there may be several sensors
    for one instance, so the input is a set. `where`: only sensors whose attributes say so.
    """

    type: str
    unit: str
    scale: Scale
    period_ns: int | None
    kind: Literal["gauge", "increment", "counter", "waveform"] | None
    many: bool = False
    where: Node | None = None


# What a rule over other rules has instead of an input: no sensor type is called like this.
NO_INPUT = Input("", "1", Scale(ONE), None, None)


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
    # `ignore`: members that are unknown neither vote nor block. `raw`: bad readings are seen, too.
    unknown: Literal["hold", "ignore"] = "hold"
    view: Literal["good", "raw"] = "good"


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
class Promotion:
    """So many members at a grade count as a higher one."""

    count: int
    at: Grade
    to: Grade


@dataclass(frozen=True, slots=True)
class Rollup:
    """Grades out of other rules' grades: the highest, then promotion by count.

    of    full names (`pack/id`) of the rules
    each  `hazard`: promote inside each hazard first, then across; None: across only
    """

    of: tuple[str, ...]
    promote: tuple[Promotion, ...]
    each: str | None


@dataclass(frozen=True, slots=True)
class SequenceStep:
    """One step: reached when its condition holds for `for_ns`, in time after another step.

    is_absent  reached when the condition has not become true within `within_ns` after `after`
    """

    name: str
    condition: Node
    is_absent: bool
    after: str | None
    within_ns: int | None
    for_ns: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """Steps in time; all are forgotten `within_ns` after the first, or when `reset` is true."""

    within_ns: int | None
    steps: tuple[SequenceStep, ...]
    reset: Node | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Stations that trigger together in space and time; each cluster is an instance.

    moveout_m_s   the speeds of a wave that the arrivals must fit
    glitch_share  when so many of the network's stations trigger at once, it is a network fault
    """

    of: str
    when: Node
    radius_m: float
    within_ns: int
    members: int
    moveout_m_s: tuple[float, float] | None
    excludes_same_site: bool
    glitch_share: float | None
    linger_ns: int


@dataclass(frozen=True, slots=True)
class Model:
    """The model whose score is `anomaly`.

    versions    bounds such as `>=2026.10 <2027`, empty for any; `place` is where they stand
    warmup_ns   how long a fresh model is unknown; None: as the model says
    max_age_ns  how old a score may be; None: as the model says
    on_absent   without a score: unknown, or as if the rule did not ask (`ignore`)
    """

    name: str
    versions: str = ""
    warmup_ns: int | None = None
    max_age_ns: int | None = None
    on_absent: Literal["unknown", "ignore"] = "unknown"
    place: Place | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Flap:
    """More than so many changes in a window: hold the highest grade for a while."""

    changes: int
    window_ns: int
    for_ns: int


@dataclass(frozen=True, slots=True)
class Budget:
    """More raises than that in a window, and the rule goes on as a shadow for that key."""

    raises: int
    per: str
    window_ns: int


@dataclass(frozen=True, slots=True)
class Suppression:
    """While something holds, warnings are muted (`cap` None) or capped, but never those grades."""

    during: Literal["shelved", "maintenance"] | Node
    max_ns: int | None
    cap: Grade | None
    never: frozenset[Grade]


@dataclass(frozen=True, slots=True)
class Inhibition:
    """At a grade, this rule mutes (`cap` None) or caps other rules of the same instance keys."""

    rules: tuple[str, ...]
    at: Grade
    cap: Grade | None
    same: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Escalation:
    """A grade that nobody acknowledges in time becomes a higher one."""

    grade: Grade
    after_ns: int
    to: Grade


@dataclass(frozen=True, slots=True)
class Override:
    """Other settings for some sensors: the more specific match wins, then the later one.

    match     attributes, `sensor`, `site` or another key, each with the text it must equal
    settings  dotted key (`ladder.above`, `ladder.for.orange`, `quality.stale_after`, `mode`) to
              what it is set to, checked as in the rule itself; `overriding` lays them over it
    until     the last day on which it holds, ISO, empty for ever
    """

    match: Mapping[str, str]
    settings: Mapping[str, YamlNode]
    reason: str
    until: str
    approved_by: str
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A rule as it was written, the pack's defaults included: overrides are laid over that.

    node  the mapping of the rule, without its overrides and tests
    read  reads such a mapping as the rule itself was read; None after a fault
    """

    node: MapNode
    read: Callable[[MapNode, Faults], "Rule | None"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; exactly one of `ladder`, `levels` and `rollup` is there.

    `input` is the only input, or the first of several; `inputs` has all by their names, the only
    one under the empty name. A rollup and a rule over other rules have none: `inputs` is empty,
    and `input` is NO_INPUT, of no type.
    """

    pack: str
    id: str
    title: Texts
    hazard: str
    basis: Texts
    mode: Literal["live", "shadow", "disabled"]
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
    model: Model | None
    place: Place
    inputs: Mapping[str, Input] = field(default_factory=dict)
    rollup: Rollup | None = None
    sequence: Sequence | None = None
    cluster: Cluster | None = None
    flap: Flap | None = None
    budget: Budget | None = None
    suppress: tuple[Suppression, ...] = ()
    inhibits: tuple[Inhibition, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    overrides: tuple[Override, ...] = ()
    # The least careful entry values that an override may set unapproved, in the ladder's scale.
    limits: Mapping[Grade, float] = field(default_factory=dict)
    require_assets: tuple[str, ...] = ()
    # The beginning of attributes that rise with the grade: `v` for v_blue < v_yellow < v_red.
    monotone: str = ""
    # No downgrade sooner than this after the last rise.
    downgrade_after_ns: int = 0
    # Metres around the members that a warning's area has; None: no area.
    area_buffer_m: float | None = None
    # A rule marked `safety` is never demoted by its budget.
    is_safety: bool = False
    # What its message shows beside the value, by the names in its templates (rules/shown.py).
    shown: Mapping[str, Node] = field(default_factory=dict)
    # Late readings revise what was said (event `revised`) instead of being left out.
    revises: bool = False
    written: Written | None = field(default=None, compare=False, repr=False)

    @property
    def is_local(self) -> bool:
        """One sensor is all that an instance of the rule looks at."""
        return self.by == ("sensor",) and len(self.inputs) <= 1 and not self._looks_around()

    def _looks_around(self) -> bool:
        far = ex.Vote | ex.Gather | ex.Step | ex.OtherRule | ex.ClusterSize
        return any(isinstance(node, far) for top in self.conditions for node in ex.walk(top))

    @property
    def conditions(self) -> tuple[Node, ...]:
        """The expressions that decide on grades."""
        if self.ladder is not None:
            return (self.ladder.value, *self.ladder.enter.values(), *self.ladder.clear.values())
        levels = (self.levels or {}).values()
        return tuple(n for level in levels for n in (level.when, level.clear) if n is not None)

    @property
    def grades(self) -> tuple[Grade, ...]:
        """The grades this rule has, from the mildest; those above `cap` included."""
        if self.rollup is not None:
            return tuple(grade for grade in Grade if grade > Grade.NONE)
        return tuple(sorted(self.ladder.enter if self.ladder else self.levels or ()))


@dataclass(frozen=True, slots=True)
class Pack:
    """One file of rules, and what other files say of it; `digest` is the sha256 of their bytes.

    `tests` are those of the whole pack; the tests of one rule are in the rule.
    """

    name: str
    version: str
    digest: str
    owner: str
    path: str
    rules: tuple[Rule, ...]
    tests: tuple[Scenario, ...] = ()


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


def references(rule: Rule) -> frozenset[str]:
    """The full names of the rules that a rule looks at; none of them may look back at it."""
    during = [one.during for one in rule.suppress if not isinstance(one.during, str)]
    steps = [step.condition for step in rule.sequence.steps] if rule.sequence else []
    reset = [rule.sequence.reset] if rule.sequence and rule.sequence.reset else []
    found = set(rule.rollup.of) if rule.rollup else set()
    for top in (*rule.conditions, *rule.lets.values(), *during, *steps, *reset):
        found |= {node.rule for node in ex.walk(top) if isinstance(node, ex.OtherRule)}
    return frozenset(found)
