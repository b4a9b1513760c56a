"""The words of the rule language: keys of every section, features, methods.

`now` is what this version builds. `later` is what the language has and this version refuses by
name, so that a pack written for a fuller engine is never half obeyed. Everything else is a mistake.
"""

from dataclasses import dataclass
from typing import Literal

from rules.errors import Faults, Place, did_you_mean
from rules.expression import Scope

LANGUAGE_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of the rule language: its name, its keys, and whether its values are free texts."""

    name: str
    now: frozenset[str]
    later: frozenset[str] = frozenset()
    holds_texts: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _section(name: str, now: str, later: str = "") -> Section:
    return Section(name, _words(now), _words(later))


PACK = _section(
    "pack", "tocsin pack version owner rules macros defaults use limits tests overrides"
)
# Files beside a pack: local tuning, and tests, of the pack that `for` names.
BESIDE = _section("file", "tocsin kind for owner overrides tests")
RULE = _section(
    "rule",
    "id title hazard basis mode input inputs by quality lateness let ladder levels rollup sequence "
    "cluster latch closure cap flap budget suppress inhibits escalate downgrade area message model "
    "overrides limits require_assets monotone safety tests",
)
# What a pack may say once for all its rules, and what of it is laid over part by part.
DEFAULTS = _section(
    "defaults",
    "hazard basis mode input by quality lateness latch closure cap flap budget suppress escalate "
    "downgrade message model require_assets safety",
)
DEEP = _words("input quality message zh en")
ROLLUP = _section("rollup", "of by take promote each")
PROMOTION = _section("promote", "count at to")
SEQUENCE = _section("sequence", "within steps reset")
STEP = _section("step", "as when absent after within for")
CLUSTER = _section("cluster", "of when radius within members moveout exclude key linger")
EXCLUDE = _section("exclude", "same_site same_network_glitch")
FLAP = _section("flap", "changes window then for")
BUDGET = _section("budget", "raises per window then")
SUPPRESS = _section("suppress", "while max effect never")
INHIBITS = _section("inhibits", "rules at effect same")
ESCALATE = _section("escalate", "from after unless to")
OVERRIDE = _section("override", "match set reason until approved_by")
INPUT = _section("input", "type unit period kind where many")
QUALITY = _section("quality", "stale_after coverage over_range under_range unknown max_blind view")
LATENESS = _section("lateness", "allow late")
LADDER = _section("ladder", "value above below clear deadband for clear_for")
LEVEL = _section("level", "when clear for clear_for")
MODEL = _section("model", "name on_absent version warmup max_age")
TEXTS = Section("zh and en", _words("zh en"), holds_texts=True)
MESSAGE = _section("message", "zh en")
WORDING = Section("message", _words("headline advice impact"), holds_texts=True)
ADVICE = _words("blue yellow orange red 蓝 黄 橙 红 default")
TEST = _section("test", "name rule assets feed fleet grades expect")
FLEET = _section("fleet", "grid spacing")
EXPECTATION = _section(
    "expect", "at grade state quality never between transitions events why lead before rule key"
)

KEYS_BY = frozenset({"sensor", "point", "tank", "dam", "basin", "site", "slope", "cluster"})
MODES = frozenset({"live", "shadow", "disabled"})
KINDS = frozenset({"gauge", "increment", "counter", "waveform"})


@dataclass(frozen=True, slots=True)
class FeatureWord:
    """A feature of one sensor: how many windows it takes, and what comes out.

    of      input: the unit of the input · difference: the same, never a point · rate: per second ·
            number: a plain number · duration: seconds
    """

    windows: Literal[0, 1, 2]
    of: Literal["input", "difference", "rate", "number", "duration"]
    meaning: str


FEATURES = {
    "value": FeatureWord(0, "input", "last good reading; unknown when older than `stale_after`"),
    "mean": FeatureWord(1, "input", "mean of the readings of a window"),
    "min": FeatureWord(1, "input", "least reading of a window"),
    "max": FeatureWord(1, "input", "greatest reading of a window"),
    "std": FeatureWord(1, "difference", "standard deviation of the readings of a window"),
    "range": FeatureWord(1, "difference", "greatest minus least reading of a window"),
    "sum": FeatureWord(1, "difference", "sum of the readings of a window, for increments"),
    "count": FeatureWord(1, "number", "number of good readings in a window; never unknown"),
    "slope": FeatureWord(1, "rate", "least-squares slope over a window, per time"),
    "rise": FeatureWord(1, "difference", "last minus least reading of a window"),
    "drop": FeatureWord(1, "difference", "greatest minus last reading of a window"),
    "change": FeatureWord(1, "difference", "last minus first reading of a window"),
    "stalta": FeatureWord(2, "number", "short-term over long-term average, recursive"),
    "age": FeatureWord(0, "duration", "time since the last reading of any quality; never unknown"),
    "unchanged": FeatureWord(0, "duration", "time since the value last changed"),
    "coverage": FeatureWord(1, "number", "share of the expected readings of a window, 0 to 1"),
    "anomaly": FeatureWord(0, "number", "score of the bound model, 0 to 1"),
}
# Features that speak about the data and not about the world.
DATA_FEATURES = frozenset({"age", "count", "coverage"})
FEATURES_LATER = _words(
    "median p rate ewma zscore mad_score noise bad_share forecast time_to inverse_velocity pga pgv "
    "neighbours same rule season hour in_calendar"
)
SET_METHODS = _words("votes share any all max_of min_of mean_of median_of")
METHODS_LATER = SET_METHODS | {"within", "grade", "hull", "size"}
NAMES_LATER = _words("seq cluster none never blue yellow orange red")
KEYWORDS_LATER = _words("offset robust trend p radius")
SCOPES: tuple[Scope, ...] = ("asset", "sensor", "site")
FUNCTIONS = ("known", "or_else")
TRUTHS = {"true": True, "false": False}


def refuse_later(word: str, place: Place, faults: Faults, *, where: str = "") -> None:
    """Say that a word belongs to the language and is not built; `where` narrows it down."""
    faults.add(
        "E900",
        place,
        f"`{word}`{where} is part of the rule language, but this version does not build it yet",
        remedy="remove it, or wait for a version that builds it; it is never ignored",
    )


def refuse_unknown_key(key: str, section: Section, place: Place, faults: Faults) -> None:
    """Say that a section has no such key, and which was probably meant."""
    known = section.now | section.later
    remedy = did_you_mean(key, known)
    fix = remedy.split("`")[1] if remedy.startswith("did") else ""
    message = f"unknown key `{key}` in `{section.name}`"
    faults.add("E021", place, message, remedy=remedy, fix=fix)


def features_text() -> str:
    """Every feature with its meaning, for `tocsin explain features`."""
    lines = []
    for name, word in FEATURES.items():
        shown = {0: name, 1: f"{name}(w)", 2: f"{name}(s, l)"}[word.windows]
        lines.append(f"{shown:<14} {word.meaning}")
    return "\n".join(lines)
