"""Rules that lean on each other must have something to lean on."""

from pathlib import Path

import pytest

from rules import book
from rules.linking import unknown_packs
from rules.pack import Book, Rule
from rules.points import point_faults, sensor_notes
from tests.rules.writing import codes, indented, only_rule, pack_text

HEAD = "title: {zh: 甲, en: A}\nhazard: gas"
PLAIN = f'{HEAD}\nby: [sensor]\ninput: {{type: methane, unit: "%"}}\nladder: {{LADDER}}'


def plain(window: str = "1m") -> str:
    return PLAIN.replace("LADDER", f"value: mean({window}), above: {{blue: 1 %}}")


def looks_at(*rules: str) -> str:
    whens = " or ".join(f"rule('{rule}').grade >= blue" for rule in rules)
    return f'{HEAD}\nby: [dam]\nlevels: {{blue: {{when: "{whens}"}}}}'


def rollup(*rules: str) -> str:
    return f"{HEAD}\nrollup: {{of: [{', '.join(rules)}], by: [dam]}}"


def load(folder: Path, **packs: dict[str, str]) -> Book:
    for name, rules in packs.items():
        body = "".join(
            "  - " + indented(f"id: {rule}\n{text}", 4).lstrip() + "\n"
            for rule, text in rules.items()
        )
        text = f"tocsin: 1\npack: {name}\nversion: 1.0.0\nowner: o\nrules:\n{body}"
        (folder / f"{name}.yaml").write_text(text)
    return book.load([folder])


def test_rules_of_several_packs_find_each_other(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        a={"sum": rollup("one", "b/two"), "one": plain()},
        b={"two": plain("5m"), "either": looks_at("a/sum", "b/two")},
    )
    assert set(codes(found.faults)) <= {"W420"}, [str(fault) for fault in found.faults]
    assert found.rules[0].rollup is not None
    assert found.rules[0].rollup.of == ("a/one", "b/two")


def test_a_rule_that_is_not_there_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    found = load(tmp_path, a={"sum": rollup("oen"), "one": plain(), "other": looks_at("a/onne")})
    assert [(f.code, f.message, f.help) for f in found.errors] == [
        ("E330", "there is no rule `a/oen`", "did you mean `a/one`?"),
        ("E330", "there is no rule `a/onne`", "did you mean `a/one`?"),
    ]
    lines = (tmp_path / "a.yaml").read_text().split("\n")
    first = found.errors[0].place
    assert lines[first.line - 1][first.column - 1 :].startswith("oen")
    assert not found.packs


def test_a_pack_that_is_elsewhere_is_a_question_here_and_an_error_in_an_engine(
    tmp_path: Path,
) -> None:
    """A pack can be checked by itself; an engine cannot wait for a rule that never speaks."""
    found = load(tmp_path, a={"other": looks_at("eew/quake")})
    assert codes(found.faults) == ["W330"]
    assert codes(unknown_packs(found.packs)) == ["E330"]


def test_what_is_wrong_in_one_pack_is_not_told_of_another(tmp_path: Path) -> None:
    found = load(tmp_path, a={"other": looks_at("b/one")}, b={"one": plain() + "\nflap: {}"})
    assert codes(found.errors) == ["E012"] * 3
    assert [pack.name for pack in found.packs] == ["a"]


@pytest.mark.parametrize(
    ("rules", "chain"),
    [
        ({"x": looks_at("a/x")}, "a/x looks at a/x"),
        ({"x": rollup("y"), "y": rollup("x")}, "a/x looks at a/y looks at a/x"),
        (
            {"x": looks_at("a/y"), "y": rollup("z"), "z": looks_at("a/one", "a/x")},
            "a/x looks at a/y looks at a/z looks at a/x",
        ),
    ],
)
def test_a_circle_is_refused_with_its_whole_chain(
    rules: dict[str, str], chain: str, tmp_path: Path
) -> None:
    found = load(tmp_path, a={**rules, "one": plain()})
    assert codes(found.errors) == ["E331"]
    assert found.errors[0].message == f"rules wait for each other: {chain}"


def test_a_diamond_is_no_circle(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        a={"x": rollup("y", "z"), "y": rollup("one"), "z": looks_at("a/one"), "one": plain()},
    )
    assert not found.errors


def test_rules_that_silence_each_other_are_refused(tmp_path: Path) -> None:
    """Each would mute the other at the moment both have something to say."""

    def mutes(other: str) -> str:
        return f"\ninhibits: [{{rules: [{other}], at: blue, effect: mute, same: [site]}}]"

    found = load(tmp_path, a={"x": plain() + mutes("y"), "y": plain("5m") + mutes("x")})
    assert codes(found.errors) == ["E331"]
    assert "silence each other: a/x inhibits a/y inhibits a/x" in found.errors[0].message


def test_two_rules_that_ask_the_same_are_asked_about(tmp_path: Path) -> None:
    found = load(tmp_path, a={"x": plain(), "y": plain("5m")}, b={"z": plain()})
    assert codes(found.faults) == ["W424"]
    assert "`a/x` asks the same" in next(iter(found.faults)).message


def test_no_sensor_of_a_type_suggests_the_type_that_was_meant(tmp_path: Path) -> None:
    rule = only_rule(tmp_path, pack_text().replace("type: methane", "type: methan"))
    (note,) = sensor_notes([rule], {"methane": 4812, "dust": 12, "methanol": 0})
    assert note.code == "N501"
    assert note.message == 'no sensor matches input.type "methan"'
    assert note.help == "did you mean methane, 4812 sensors?"
    assert note.fix == "methane"
    assert note.place.line_text[note.place.column - 1 :].startswith("methan,")
    assert not sensor_notes([rule], {"methan": 1})


def displacement(folder: Path, more: str = "") -> Rule:
    levels = "\n".join(
        f"{grade}: {{when: slope(3d) >= asset.v_{grade}, for: 6h, clear_for: 1d}}"
        for grade in ("blue", "yellow", "red")
    )
    text = pack_text(
        f"monotone: v\nrequire_assets: [v_blue, v_red]{more}", levels=levels, unit="mm"
    )
    return only_rule(folder, text)


def point(name: str, **texts: str) -> dict[str, str]:
    return {"sensor": name, **texts}


def test_points_without_what_their_rule_requires_are_listed(tmp_path: Path) -> None:
    rule = displacement(tmp_path)
    points = [point(f"P{i}", v_blue="1 mm/d") for i in range(7)]
    (fault,) = point_faults(rule, points)
    assert fault.code == "E504"
    assert fault.message == "7 points lack asset.v_red: `P0`, `P1`, `P2`, `P3`, `P4` and 2 more"
    assert fault.place.line_text[fault.place.column - 1 :].startswith("v_red")


def test_thresholds_of_the_catalogue_must_rise_at_each_point(tmp_path: Path) -> None:
    """The rule is right; the third row of a table is not."""
    rule = displacement(tmp_path)
    good = point("P1", v_blue="1 mm/d", v_yellow="2 mm/d", v_red="5 mm/d")
    bad = point("P2", v_blue="1 mm/d", v_yellow="1 mm/h", v_red="5 mm/d")
    (fault,) = point_faults(rule, [good, bad])
    assert fault.code == "E301"
    assert fault.message.startswith("for `P2`: red (")
    assert fault.help == "expected blue < yellow < red"
    assert not point_faults(rule, [good])


def test_a_ladder_out_of_the_catalogue_falls_where_it_goes_below(tmp_path: Path) -> None:
    ladder = "value: value\nbelow: {blue: asset.d * 1.3, red: asset.low}"
    rule = only_rule(tmp_path, pack_text(ladder=ladder, unit="m"))
    assert not point_faults(rule, [point("P1", d="10 m", low="12 m")])
    (fault,) = point_faults(rule, [point("P1", d="10 m", low="13 m")])
    assert fault.message == "for `P1`: red (13) equals blue (13)"


def test_monotone_names_attributes_that_the_rule_uses(tmp_path: Path) -> None:
    text = pack_text("monotone: w", levels="blue: {when: value >= asset.v_blue}", unit="mm")
    path = tmp_path / "p.yaml"
    path.write_text(text)
    (fault,) = book.load([path]).faults
    assert (fault.code, fault.help) == ("E301", "known: `v`")
