"""A macro stands for its body, and for nothing else; whatever goes wrong is said at its use."""

import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import book
from rules.errors import Fault, Faults
from rules.grade import Grade
from rules.macros import Macro, Macros, expand, read_macro
from rules.pack import Book
from rules.syntax import Syntax, parse
from tests.rules.printing import printed
from tests.rules.writing import codes, indented, load_text, scalar

RULE = """- id: r
  title: {zh: 储罐, en: Tank}
  hazard: process
  inputs:
    p: {type: tank_pressure, unit: kPa, period: 1s}
    t: {type: tank_temperature, unit: °C, period: 1s}
    gas: {type: combustible_gas, unit: "%LEL", many: true}
  by: [tank]
  levels:
    red: {when: "WHEN"}"""
RISING = '"rising(x, win, lim)": x.slope(win) >= lim and x.rise(win) > 3 * x.noise(1h)'


def pack(when: str, *macros: str, name: str = "p", use: str = "") -> str:
    head = f"tocsin: 1\npack: {name}\nversion: 1.0.0\nowner: o\n"
    if macros:
        head += "macros:\n" + "".join(f"  {macro}\n" for macro in macros)
    if use:
        head += f"use: [{use}]\n"
    return f"{head}rules:\n{indented(RULE.replace('WHEN', when), 2)}\n"


def meaning(found: Book, index: int = 0) -> str:
    assert not found.errors, [str(fault) for fault in found.errors]
    levels = found.packs[index].rules[0].levels
    assert levels is not None
    return printed(levels[Grade.RED].when)


def only(faults: list[Fault]) -> Fault:
    assert len(faults) == 1, [str(fault) for fault in faults]
    return faults[0]


@pytest.mark.parametrize(
    ("when", "macros", "written"),
    [
        (
            "rising(p, 2m, 5 kPa/min)",
            (RISING,),
            "p.slope(2m) >= 5 kPa/min and p.rise(2m) > 3 * p.noise(1h)",
        ),
        ("half(p) > 3", ("half(x): x / 2",), "(p / 2) > 3"),
        ("half(p + 2 kPa) > 3", ("half(x): x / 2",), "(p + 2 kPa) / 2 > 3"),
        ("gas.any(high(3 %LEL))", ("high(x): value > x",), "gas.any(value > 3 %LEL)"),
        ("many(gas, 2)", ('"many(s, n)": s.votes(value > 3) >= n',), "gas.votes(value > 3) >= 2"),
        ("a(p)", ("a(x): b(x) and x < 9", "b(y): c(y, 3)", '"c(x, n)": x > n'), "p > 3 and p < 9"),
        ("warm() and p > 3", ("warm(): t > 30 °C",), "t > 30 °C and p > 3"),
        ("lag(p, 1h)", ('"lag(x, w)": x.mean(1m, offset=w) > 3',), "p.mean(1m, offset=1h) > 3"),
    ],
)
def test_a_macro_means_what_is_written_out(
    when: str, macros: tuple[str, ...], written: str, tmp_path: Path
) -> None:
    short = meaning(load_text(tmp_path, pack(when, *macros)))
    assert short == meaning(load_text(tmp_path, pack(written)))


def test_macros_of_another_pack_are_used_by_name(tmp_path: Path) -> None:
    """A house keeps its idioms in one pack; each macro sees the macros of its own pack."""
    (tmp_path / "b.yaml").write_text(pack("rising(p, 2m, 5 kPa/min)", use="z"))
    steep = '"steep(x, w, lim)": x.slope(w) > lim'
    rising = '"rising(x, w, lim)": steep(x, w, lim)'
    (tmp_path / "z.yaml").write_text(pack("p > 3", rising, steep, name="z"))
    assert meaning(book.load([tmp_path])) == "p.slope(120) > 0.0833333"


def test_a_macro_of_another_pack_is_not_seen_unasked(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(pack("rising(p, 2m, 5 kPa/min)"))
    (tmp_path / "z.yaml").write_text(pack("p > 3", RISING, name="chem-tank"))
    fault = only(book.load([tmp_path]).errors)
    assert fault.code == "E120"
    assert fault.message == "macro `rising` is not defined in this pack"
    assert fault.help == "it exists in `chem-tank`; add `use: [chem-tank]`"
    assert fault.place.line_text[fault.place.column - 1 :].startswith("rising(")


def test_a_macro_in_two_used_packs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pack("p > 3", "f(x): x > 3", name="a"))
    (tmp_path / "b.yaml").write_text(pack("p > 3", "f(x): x > 4", name="b"))
    (tmp_path / "c.yaml").write_text(pack("f(p)", name="c", use="a, b"))
    assert codes(book.load([tmp_path]).errors) == ["E122"]


def test_a_fault_inside_points_at_the_use_and_names_the_macro(tmp_path: Path) -> None:
    """The body is right for a pressure and wrong for a gas; the use is what must change."""
    found = load_text(tmp_path, pack("rising(p, 2m, 5 kPa)", RISING))
    fault = only(found.errors)
    assert (fault.code, fault.fix) == ("E203", "5 kPa/min")
    assert fault.place.line_text[fault.place.column - 1 :].startswith("5 kPa")
    fault = only(load_text(tmp_path, pack("rising(gas, 2m, 5 %LEL/min)", RISING)).errors[:1])
    assert fault.code == "E210"
    assert "rising(x, win, lim)" in fault.note
    assert not fault.fix
    assert fault.place.line_text[fault.place.column - 1 :].startswith("rising(gas")


@pytest.mark.parametrize(
    ("macros", "chain"),
    [
        (("a(x): a(x)",), "a → a"),
        (("a(x): b(x)", "b(x): c(x)", "c(x): b(x)"), "b → c → b"),
        (("a(x): b(x)", "b(x): c(x)", "c(x): d(x)", "d(x): e(x)", "e(x): x"), "a → b → c → d → e"),
    ],
)
def test_macros_without_end_are_refused_with_their_chain(
    macros: tuple[str, ...], chain: str, tmp_path: Path
) -> None:
    found = load_text(tmp_path, pack("a(p) > 3", *macros))
    assert set(codes(found.errors)) == {"E121"}
    at_use = [fault for fault in found.errors if fault.place.line > 10]
    assert chain in only(at_use).message


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_macros_that_multiply_are_refused_soon(depth: int, tmp_path: Path) -> None:
    """Four lines of twenty each could stand for 160 000 comparisons."""
    names = "abcd"[:depth]
    macros = [f"{n}(x): {' + '.join([f'{m}(x)'] * 40)}" for n, m in itertools.pairwise(names)]
    macros.append(f"{names[-1]}(x): {' + '.join(['x'] * 40)}")
    start = time.perf_counter()
    found = load_text(tmp_path, pack("a(p) > 3", *macros))
    assert time.perf_counter() - start < 5
    assert set(codes(found.errors)) <= {"E121", "E103"}
    assert found.errors


bodies = st.sampled_from(
    [
        "x > 1",
        "f0(x)",
        "f1(y)",
        "f2(f0(x))",
        "x + f1(x) > 3",
        "y.mean(5m) > x",
        "not f3(y)",
        "value",
    ]
)


@given(st.lists(bodies, min_size=1, max_size=5), st.integers(0, 4))
def test_whatever_macros_say_they_are_written_out_or_refused(texts: list[str], used: int) -> None:
    """No set of macros may make a pack hang, or crash what reads it."""
    faults = Faults()
    macros: dict[str, Macro] = {}
    for at, text in enumerate(texts):
        parameters = "x, y" if at % 2 else "x"
        macro = read_macro(scalar(f"f{at}({parameters})"), scalar(text), "p", faults)
        assert macro is not None
        macros[macro.name] = macro
    node = scalar(f"f{used}(value, 3) or f{used}(value)")
    tree = parse(node, faults)
    assert tree is not None
    whole = expand(tree, node, Macros({"p": macros}), pack="p", faults=faults)
    assert (whole is None) == bool(faults.errors())
    assert whole is None or inside(whole, node.text)


def inside(tree: Syntax, text: str) -> bool:
    """Whatever a macro wrote stands somewhere in the text that uses it."""
    return 0 <= tree.start < tree.end <= len(text)
