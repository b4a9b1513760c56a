"""The catalogue is typed by many hands: all of their mistakes must be found, and in one reading."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import registry
from engine.csv_text import cell_span
from engine.errors import ConfigError
from engine.nearest import nearest

NS_PER_S = 1_000_000_000
TYPES = """\
types:
  - {name: methane, unit: "%", kind: gauge, period: 30s}
  - {name: shake, unit: gal, kind: waveform, period: 10ms, precision: float32, pane: 100ms}
  - {name: rain, unit: mm, kind: increment, lateness: 1m}
"""
SITES = """\
site,name_zh,name_en,division,lat,lon,depth
M-1,一号,One,140200,40.1,113.2,300 m
M-2,二号,Two,140200,,,
"""
GATEWAYS = "gateway,site,public_key\nG-1,M-1,\nG-2,M-2,\n"
SENSORS = """\
sensor,gateway,site,type,period,range_low,range_high,limit
A,G-1,M-1,methane,,0,4,1.5 %
B,G-2,M-2,methane,5s,0,4,
C,G-1,M-2,shake,,,,
D,G-1,M-1,rain,,0,,"1, 2"
"""
HEADING = SENSORS.splitlines(keepends=True)[0]


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path)


def write(folder, **files):
    texts = {"types": TYPES, "sites": SITES, "gateways": GATEWAYS, "sensors": SENSORS} | files
    for name, text in texts.items():
        path = folder / (f"{name}.yaml" if name == "types" else f"{name}.csv")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def faults_of(folder, **files):
    catalogue, faults = registry.examine(write(folder, **files))
    assert catalogue is None
    return [(fault.code, fault.place.line, fault.place.column) for fault in faults]


def test_a_catalogue_is_columns_in_the_order_of_the_file(folder):
    """Frames carry numbers; who is number 2 is decided here and nowhere else."""
    catalogue = registry.load(folder)
    sensors = catalogue.sensors

    assert sensors.name == ["A", "B", "C", "D"]
    assert catalogue.manifest(0).tolist() == [0, 2, 3]
    assert catalogue.manifest(1).tolist() == [1]
    assert catalogue.manifest(0).dtype == np.int32
    assert sensors.period_ns.tolist() == [30 * NS_PER_S, 5 * NS_PER_S, 10_000_000, 0]
    assert sensors.high.tolist() == [4, 4, np.inf, np.inf]
    assert sensors.low.tolist() == [0, 0, -np.inf, 0]
    assert sensors.attributes == {"limit": ["1.5 %", None, None, "1, 2"]}
    assert sensors.site.tolist() == [0, 1, 1, 0]
    assert catalogue.sites.attributes == [{"depth": "300 m"}, {}]
    assert np.isnan(catalogue.sites.lat[1])
    methane, shake, rain = catalogue.types
    assert (methane.lateness_ns, shake.lateness_ns) == (2 * NS_PER_S, 0)
    assert (rain.lateness_ns, rain.period_ns) == (60 * NS_PER_S, None)
    assert (shake.precision, shake.pane_ns) == ("float32", 100_000_000)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_what_a_spreadsheet_adds_changes_nothing(tmp_path, mark, ending):
    """A byte-order mark in the first column's name has cost people days."""
    sensors = mark + SENSORS.replace("\n", ending).replace(",G-1", " , G-1").encode()

    loaded = registry.load(write(tmp_path, sensors=sensors))

    assert loaded.sensors.name == ["A", "B", "C", "D"]
    assert loaded.manifest(0).tolist() == [0, 2, 3]


def test_all_mistakes_of_all_files_are_found_in_one_reading(folder):
    """Each is one more drive to the mine, if it is found alone."""
    found = faults_of(
        folder,
        types=TYPES.replace("unit: gal", "unit: gall"),
        sites=SITES.replace("140200,40.1", "1402,91"),
        gateways=GATEWAYS.replace("G-2,M-2,", "G-1,M-3,key"),
        sensors="sensor,gateway,site,type,period,range_low,range_high\n"
        "A,G-1,M-1,methan,,0,4\n"
        "A,G-9,M-1,methane,fast,4,0\n"
        "\n"
        "B/C,G-1,M-1,methane,,x,1_0\n"
        "D,G-1\n",
    )

    assert set(found) == {
        ("E723", 3, 25),
        ("E714", 2, 12),
        ("E715", 2, 17),
        ("E712", 3, 1),
        ("E713", 3, 5),
        ("E716", 3, 9),
        ("E713", 2, 11),
        ("E712", 3, 1),
        ("E713", 3, 3),
        ("E720", 3, 19),
        ("E718", 3, 26),
        ("E711", 5, 1),
        ("E719", 5, 22),
        ("E719", 5, 24),
        ("E707", 6, 1),
    }


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"sensors": b"sensor,gateway\xc4\xff\n"}, "E703"),
        ({"sensors": ""}, "E702"),
        ({"sensors": 'sensor,"gateway\n'}, "E701"),
        ({"sensors": SENSORS.replace("range_low", "range_lo")}, "E705"),
        ({"sensors": SENSORS.replace("limit", "site")}, "E704"),
        ({"sensors": SENSORS.replace("limit", " ")}, "E704"),
        ({"sensors": SENSORS.replace('"1, 2"', '"1,\n2"')}, "E706"),
        ({"sensors": HEADING}, "E717"),
        ({"types": TYPES.replace("period: 10ms, ", "")}, "E721"),
        ({"types": TYPES.replace("kind: gauge", "kind: gague")}, "E603"),
        ({"types": TYPES.replace("rain", "shake")}, "E712"),
        ({"types": "types: []\n"}, "E604"),
        ({"sites": SITES.replace("113.2", "nan")}, "E719"),
        ({"sites": SITES.replace("M-1", "M/1")}, "E711"),
        ({"gateways": GATEWAYS.replace("G-1", "")}, "E711"),
    ],
)
def test_what_cannot_be_is_refused(folder, files, code):
    """Each of these has put readings under the wrong name somewhere."""
    assert code in {found[0] for found in faults_of(folder, **files)}


def test_a_file_in_another_encoding_is_told_how_to_mend_it(folder):
    """Spreadsheets here still save in GB 18030."""
    write(folder, sites=SITES.encode("gb18030"))

    _, faults = registry.examine(folder)

    assert "iconv -f gb18030" in faults[0].help
    assert (faults[0].code, faults[0].place.line) == ("E703", 2)


def test_a_fault_points_at_the_cell_also_behind_a_quoted_comma(folder):
    """The caret must stand under what is wrong."""
    _, faults = registry.examine(
        write(folder, sites=SITES.replace("One,140200", '"Pit, One", 14x'))
    )

    (fault,) = [fault for fault in faults if fault.code == "E714"]
    line = fault.place.line_text
    assert line[fault.place.column - 1 : fault.place.column - 1 + fault.place.length] == "14x"


def test_a_missing_folder_or_file_is_named(tmp_path):
    """A wrong path is the commonest mistake of all."""
    with pytest.raises(ConfigError, match="no such folder"):
        registry.load(tmp_path / "nowhere")
    (write(tmp_path) / "gateways.csv").unlink()
    with pytest.raises(ConfigError, match=r"gateways\.csv: error\[E700\]"):
        registry.load(tmp_path)


def test_the_digest_follows_every_byte(tmp_path):
    """Two engines with one digest number their sensors alike."""
    first = registry.load(write(tmp_path)).digest
    again = registry.load(write(tmp_path)).digest
    moved = registry.load(write(tmp_path, sensors=SENSORS + "E,G-1,M-1,rain,,,,\n")).digest

    assert first == again != moved


def test_a_nation_of_sensors_is_read_in_a_moment(tmp_path):
    """A restart after a crash waits for this, and the warnings wait with it."""
    rows = "".join(f"S{i},G-{i % 2 + 1},M-1,methane,30s,0,4,1.5 %\n" for i in range(100_000))
    write(tmp_path, sensors=HEADING + rows)

    began_s = time.process_time()
    catalogue = registry.load(tmp_path)

    assert time.process_time() - began_s < 1.5
    assert catalogue.manifest(1)[:3].tolist() == [1, 3, 5]


def test_a_hundred_thousand_equal_mistakes_are_said_a_hundred_times(tmp_path):
    """Nobody reads more, and the count says the rest."""
    rows = "".join(f"S{i},G-7,M-1,methane,30s,0,4,\n" for i in range(5000))
    _, faults = registry.examine(write(tmp_path, sensors=HEADING + rows))

    assert len(faults) == 101
    assert "4900 more" in faults[-1].message


@given(cells=st.lists(st.text("ab ,", max_size=5), min_size=1, max_size=5), index=st.integers(0, 4))
def test_the_span_of_a_cell_is_the_cell(cells, index):
    """Whatever stands in the cells before it."""
    index = min(index, len(cells) - 1)
    text = ",".join(f'"{cell}"' if "," in cell else cell for cell in cells)

    start, length = cell_span(text, index)

    shown = text[start - 1 : start - 1 + length]
    assert shown.strip('", ') == cells[index].strip(" ,") or "," in cells[index]


def test_the_nearest_name_is_found_among_many():
    """A wrong gateway name in a catalogue of thousands must not take a minute."""
    names = [f"G-{number:05d}" for number in range(20_000)]

    assert nearest("g-0001O", ["G-00010", "M-00010"]) == "G-00010"
    assert nearest("zzzzz", names) is None
