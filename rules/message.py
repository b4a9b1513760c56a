"""Messages: what a warning says, in Chinese and in English.

An author writes templates; a rule without any gets plain default headlines. Templates are Jinja2 in
a sandbox, and only a small part of it: values, filters, conditions. Loops, calls and arithmetic are
refused at load, so a message costs what its length says. A template that fails while running must
not hold back a warning: the default text is sent, and the problem is handed back to be counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from jinja2 import Template, TemplateError

from rules.grade import GRADE_NAMES, Grade
from rules.phrases import (
    LANGUAGES,
    NO_DATA,
    Colour,
    Language,
    Quantity,
    Record,
    environment,
    spoken,
)
from rules.units import NS_PER_S

if TYPE_CHECKING:
    from rules.pack import Rule

# A value and its unit (or what else it is: rules/phrases.py), or a text; empty: unknown.
Shown = tuple[float, str] | str
NOTHING: Mapping[str, Shown] = MappingProxyType({})

# Events whose text is the rule's own headline; the others say something else than "it is so".
OWN_HEADLINE = frozenset({"raised", "upgraded", "downgraded", "updated"})
TAGS: dict[Language, dict[str, str]] = {
    "zh": {
        "raised": "{grade}预警",
        "upgraded": "{grade}预警·升级",
        "downgraded": "{grade}预警·降级",
        "cleared": "预警解除",
        "updated": "{grade}预警·更新",
        "blind": "{grade}预警·数据中断",
        "restored": "{grade}预警·数据恢复",
        "acknowledged": "{grade}预警·已确认",
        "reset": "{grade}预警·已复位",
        "revised": "{grade}预警·更正",
        "superseded": "预警终止·规则已更换",
    },
    "en": {
        "raised": "{grade}",
        "upgraded": "{grade}, upgraded",
        "downgraded": "{grade}, downgraded",
        "cleared": "CLEARED",
        "updated": "{grade}, updated",
        "blind": "{grade}, no data",
        "restored": "{grade}, data restored",
        "acknowledged": "{grade}, acknowledged",
        "reset": "{grade}, reset",
        "revised": "{grade}, revised",
        "superseded": "ENDED, rule replaced",
    },
}


@dataclass(frozen=True, slots=True)
class Message:
    """The templates of a rule; a language without a headline uses the default text.

    `advice` maps a grade to its template, None to the template for all other grades.
    `attributes` are the attributes that templates look at, as ("sensor", "place"); `names` the
    inputs and the `let` of the rule that they show.
    """

    headline: Mapping[Language, str]
    advice: Mapping[Language, Mapping[Grade | None, str]]
    impact: Mapping[Language, str]
    attributes: frozenset[tuple[str, str]]
    names: frozenset[str] = frozenset()


NO_MESSAGE = Message({}, {}, {}, frozenset())


@dataclass(frozen=True, slots=True)
class Written:
    """The texts of one warning; `problem` is empty unless a template failed."""

    headline: dict[str, str]
    advice: dict[str, str]
    basis: dict[str, str]
    impact: str
    problem: str


class Messages:
    """Writes the texts of one rule's warnings."""

    __slots__ = ("advice", "headline", "rule")

    def __init__(self, rule: "Rule") -> None:
        self.rule = rule
        message = rule.message
        self.headline: dict[Language, Template] = {
            language: environment(language).from_string(text)
            for language, text in message.headline.items()
        }
        self.advice: dict[Language, dict[Grade | None, Template]] = {
            language: {
                grade: environment(language).from_string(text) for grade, text in texts.items()
            }
            for language, texts in message.advice.items()
        }

    def write(
        self,
        *,
        grade: str,
        event: str,
        value: float,
        unit: str,
        sensor: str,
        site: Mapping[Language, str],
        since_ns: int,
        attributes: Mapping[str, Mapping[str, str]],
        values: Mapping[str, Shown] = NOTHING,
        duration_ns: int = 0,
        trace_url: str = "",
    ) -> Written:
        """Write headline, advice, basis and impact of one warning in both languages.

        `site` holds the site's names by language; `attributes` the catalogue's texts under
        "sensor", "site" and each other instance key, with its `name`. `values` are the rule's
        inputs and `let` that its message names, as value and unit or as a text; `duration_ns` is
        how long the warning has lasted.
        """
        facts = _Facts(
            grade=Grade(GRADE_NAMES.index(grade)),
            event=event,
            value=value,
            unit=unit,
            sensor=sensor,
            site=site,
            since_ns=since_ns,
            attributes=attributes,
            values=values,
            duration_ns=duration_ns,
            trace_url=trace_url,
        )
        headline: dict[str, str] = {}
        advice: dict[str, str] = {}
        problem = ""
        for language in LANGUAGES:
            names = self._names(language, facts)
            own = self.headline.get(language) if event in OWN_HEADLINE else None
            headline[language], failed = _rendered(own, names, self._default(language, facts))
            advised = self.advice.get(language, {})
            chosen = advised.get(facts.grade, advised.get(None))
            advice[language], failed_too = _rendered(chosen, names, "")
            problem = problem or failed or failed_too
        rule = self.rule
        basis: dict[str, str] = dict(rule.basis.items())
        impact = rule.message.impact.get("zh") or rule.message.impact.get("en") or ""
        return Written(headline, advice, basis, impact, problem)

    def _names(self, language: Language, facts: "_Facts") -> dict[str, object]:
        """What a template may look at."""
        attributes = facts.attributes
        sensor = Record({**attributes.get("sensor", {}), "name": facts.sensor})
        site = Record({**attributes.get("site", {}), "name": facts.site.get(language, "")})
        others = {
            key: Record(texts) for key, texts in attributes.items() if key not in ("sensor", "site")
        }
        shown = {
            name: (said or NO_DATA[language])
            if isinstance(said, str)
            else spoken(said[0], said[1], language)
            for name, said in facts.values.items()
        }
        return {
            **others,
            **shown,
            "duration": facts.duration_ns / NS_PER_S,
            "trace_url": facts.trace_url,
            "value": Quantity(facts.value, facts.unit, language),
            "grade": Colour(facts.grade.zh, facts.grade.en),
            "title": self._title(language),
            "basis": self.rule.basis.get(language, ""),
            "since": facts.since_ns,
            "sensor": sensor,
            "asset": sensor,
            "site": site,
        }

    def _title(self, language: Language) -> str:
        title = self.rule.title
        return title.get(language) or title.get("en") or title.get("zh") or self.rule.id

    def _default(self, language: Language, facts: "_Facts") -> str:
        """The headline of a rule that gives none."""
        grade = facts.grade
        tag = TAGS[language][facts.event].format(
            grade=grade.zh if language == "zh" else grade.en.upper()
        )
        place = f"{facts.site.get(language) or ''} {facts.sensor}".strip()
        value = Quantity(facts.value, facts.unit, language)
        if language == "zh":
            return f"【{tag}】{place} {self._title(language)}，当前 {value}"
        return f"[{tag}] {place}: {self._title(language)}, now {value}"


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is told about one change of grade."""

    grade: Grade
    event: str
    value: float
    unit: str
    sensor: str
    site: Mapping[Language, str]
    since_ns: int
    attributes: Mapping[str, Mapping[str, str]]
    values: Mapping[str, Shown]
    duration_ns: int
    trace_url: str


def _rendered(
    template: Template | None, names: Mapping[str, object], default: str
) -> tuple[str, str]:
    """The text of a template, and why it failed; the default where there is none or it failed."""
    if template is None:
        return default, ""
    try:
        return template.render(names), ""
    except (TemplateError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        return default, f"{type(error).__name__}: {error}"
