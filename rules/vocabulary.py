"""The words of the rule language: keys of every section, features, methods.

`now` is what a section may hold; everything else is a mistake, and nothing is ever ignored.
"""

from dataclasses import dataclass

from rules.errors import Faults, Place, did_you_mean
from rules.expression import Scope
from rules.feature_words import FEATURES, FeatureWord
from rules.grade import FOREIGN, SPELLINGS

__all__ = ["FEATURES", "FeatureWord"]

LANGUAGE_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of the rule language: its name, its keys, and whether its values are free texts."""

    name: str
    now: frozenset[str]
    holds_texts: bool = False


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _section(name: str, now: str) -> Section:
    return Section(name, _words(now))


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
OVERRIDE_OF = _section("override", "rule match set reason until approved_by")
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


# Features that speak about the data and not about the world.
DATA_FEATURES = frozenset({"age", "count", "coverage", "bad_share"})
COUNTS = _words("votes share")
TRUTH_METHODS = _words("any all")
SET_METHODS = _words("votes share any all max_of min_of mean_of median_of")
# What `cluster` has beside the methods of sets.
CLUSTER_METHODS = {"max": "max_of", "min": "min_of", "mean": "mean_of", "median": "median_of"}
SET_MAKERS = _words("neighbours same")
RULE_PARTS = _words("grade age within")
CALENDAR = _words("season hour in_calendar")
SEASONS = ("spring", "summer", "autumn", "winter")
GRADE_WORDS = frozenset({"none", *SPELLINGS, *FOREIGN})
SCOPES: tuple[Scope, ...] = ("asset", "sensor", "site")
FUNCTIONS = ("known", "or_else")
TRUTHS = {"true": True, "false": False}
# Words that no `let` and no macro may take; `p` may still be the name of an input.
TAKEN = frozenset(
    {*FEATURES, *FUNCTIONS, *SCOPES, *TRUTHS, *SET_MAKERS, *CALENDAR, *GRADE_WORDS}
) | {"and", "or", "not", "in", "input", "rule", "seq", "cluster", "never"}


def refuse_unknown_key(key: str, section: Section, place: Place, faults: Faults) -> None:
    """Say that a section has no such key, and which was probably meant."""
    remedy = did_you_mean(key, section.now)
    fix = remedy.split("`")[1] if remedy.startswith("did") else ""
    message = f"unknown key `{key}` in `{section.name}`"
    faults.add("E021", place, message, remedy=remedy, fix=fix)


def features_text() -> str:
    """Every feature with its meaning, for `tocsin explain features`."""
    return "\n".join(f"{word.usage:<26} {word.meaning}" for word in FEATURES.values())
