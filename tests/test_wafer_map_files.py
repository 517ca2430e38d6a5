"""Wafer maps in files: what was written is read back, foreign files are understood, hostile ones refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtjlab.errors import InputError
from mtjlab.wafer_map import BinKind, DieUse, MapDie, SkipRules, WaferMap, draw_map
from mtjlab.wafer_map_files import MapFormat, read_wafer_map, write_wafer_map

FORMATS: tuple[MapFormat, ...] = ("csv", "g85", "e142", "sinf")
NAMES = st.text(st.sampled_from("abcZ09 -_#&é"), max_size=12).map(str.strip)
KINDS = {1: BinKind(1, True, "good & whole"), 2: BinKind(2, False, 'short "row"'), 200: BinKind(200, False, "<open>")}


@st.composite
def maps(draw: st.DrawFn) -> WaferMap:
    """Maps that every format has a place for."""
    places = draw(st.sets(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=30))
    dies = []
    for x, y in sorted(places):
        use = draw(st.sampled_from(list(DieUse)))
        dies.append(MapDie(x, y, use, draw(st.sampled_from([None, *KINDS])) if use is DieUse.PROBE else None))
    return WaferMap(
        draw(NAMES),
        tuple(dies),
        draw(st.none() | st.tuples(st.floats(1e-4, 0.1), st.floats(1e-4, 0.1))),
        draw(st.sampled_from(["UR", "UL", "DR", "DL"])),
        draw(st.none() | st.sampled_from([0, 90, 180, 270])),
        draw(st.none() | st.sampled_from([0.1, 0.2, 0.3])),
        draw(st.tuples(st.floats(-3, 3), st.floats(-3, 3))),
        draw(NAMES),
        draw(NAMES),
        tuple(KINDS.values()),
    )


def agree(found: WaferMap, wanted: WaferMap) -> None:
    assert sorted(found.dies, key=lambda die: (die.x, die.y)) == sorted(wanted.dies, key=lambda die: (die.x, die.y))
    for name in ("wafer", "lot", "product", "axes", "notch_degrees", "origin"):
        assert getattr(found, name) == getattr(wanted, name), name
    for length, expected in (
        (found.diameter_metres, wanted.diameter_metres),
        (found.pitch_metres, wanted.pitch_metres),
    ):
        assert length == (expected if expected is None else pytest.approx(expected, rel=1e-9))


@pytest.mark.parametrize("format", FORMATS)
@given(wanted=maps())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_what_is_written_is_read_back(format: MapFormat, wanted: WaferMap, tmp_path: Path) -> None:
    found = read_wafer_map(write_wafer_map(wanted, tmp_path / "map", format=format))
    agree(found, wanted)
    passes = {kind.number: kind.passes for kind in found.bins}
    assert all(passes.get(kind.number, kind.passes) == kind.passes for kind in wanted.bins)
    if format != "sinf":
        assert {kind.number: kind.description for kind in found.bins} == {n: k.description for n, k in KINDS.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["map"]


def wafer(bins: int) -> WaferMap:
    drawn = draw_map("W1", diameter_metres=0.3, pitch_metres=(2e-3, 2e-3), skip=SkipRules(edge_metres=2e-3))
    kinds = [BinKind(number, number == 1) for number in range(bins)]
    return drawn.with_bins({(d.x, d.y): n % bins for n, d in enumerate(drawn.probed)}, kinds)


@pytest.mark.parametrize("format", FORMATS)
def test_many_dies_make_the_round_trip(format: MapFormat, tmp_path: Path) -> None:
    wanted = wafer(7)
    assert len(wanted.dies) > 17_000
    agree(read_wafer_map(write_wafer_map(wanted, tmp_path / "m", format=format), format=format), wanted)


@pytest.mark.parametrize("format", ["csv", "g85", "e142"])
def test_many_bins_take_wider_codes(format: MapFormat, tmp_path: Path) -> None:
    wanted = wafer(1000)
    agree(read_wafer_map(write_wafer_map(wanted, tmp_path / "m", format=format)), wanted)
    with pytest.raises(InputError, match="SINF"):
        write_wafer_map(wanted, tmp_path / "n", format="sinf")
    assert not (tmp_path / "n").exists()


def given_file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "given"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


G85 = """<?xml version="1.0"?>
<Maps><Map xmlns:semi="http://www.semi.org" WaferId="W3" FormatRevision="G85-1101">
<Device ProductId="P" LotId="L" Rows="2" Columns="3" Orientation="0" OriginLocation="{origin}" BinType="Decimal"
 NullBin="255" DeviceSizeX="8682.1" DeviceSizeY="1000" WaferSize="200">
<Bin BinCode="0" BinQuality="Fail" BinCount="1" BinDescription="bad"/>
<Bin BinCode="1" BinQuality="Pass" BinCount="3" BinDescription=""/>
<Data><Row><![CDATA[001 000 255 ]]></Row><Row><![CDATA[255 001 001 ]]></Row></Data></Device></Map></Maps>"""


@pytest.mark.parametrize(
    ("origin", "failing", "axes"),
    [("1", (1, 0), "DL"), ("2", (1, 0), "DR"), ("3", (1, 1), "UR"), ("4", (1, 1), "UL"), ("0", (0, 1), "UR")],
)
def test_a_g85_file_of_a_prober(tmp_path: Path, origin: str, failing: tuple[int, int], axes: str) -> None:
    found = read_wafer_map(given_file(tmp_path, G85.format(origin=origin)))
    assert [(die.x, die.y) for die in found.dies if die.bin == 0] == [failing]
    assert (len(found.dies), found.axes, found.wafer, found.lot, found.product) == (4, axes, "W3", "L", "P")
    assert found.pitch_metres == pytest.approx((8682.1e-6, 1e-3))
    assert (found.notch_degrees, found.diameter_metres) == (180, 0.2)
    assert found.bins == (BinKind(0, False, "bad"), BinKind(1, True, ""))


E142 = """<?xml version="1.0" encoding="ISO-8859-1"?>
<MapData xmlns="urn:semi-org:xsd.E142-1.{dialect}.SubstrateMap"><Layouts>
<Layout LayoutId="WaferMap" DefaultUnits="mm" TopLevel="true"><Dimension X="1" Y="1"/><DeviceSize X="200" Y="200"/>
</Layout><Layout LayoutId="L" DefaultUnits="mm"><Dimension X="4" Y="2"/><StepSize X="0.63" Y="0.64"/></Layout></Layouts>
<Substrates><Substrate SubstrateType="Wafer" SubstrateId=" X5 "><LotId> N01 </LotId></Substrate></Substrates>
<SubstrateMaps><SubstrateMap SubstrateType="Wafer" SubstrateId=" X5 " Orientation="90"
 OriginLocation="UpperRight" AxisDirection="DownLeft"><Overlay MapName="SortGrade">
<BinCodeMap BinType="Ascii" NullBin="." MapType="2DArray"><BinDefinitions>
<BinDefinition BinCode="P" BinQuality="Pass" BinDescription="BIN1"/><BinDefinition BinCode="P" BinCount="2"/>
<BinDefinition BinCode="E" BinQuality="Edge"/><BinDefinition BinCode="-" BinQuality="Skip"/>
<BinDefinition BinCode="2" BinQuality="Fail"/></BinDefinitions>
<BinCode>.PE-</BinCode><BinCode>2P..</BinCode></BinCodeMap></Overlay></SubstrateMap></SubstrateMaps></MapData>"""


@pytest.mark.parametrize("dialect", ["V0105", "V0211", "V1005"])
def test_an_e142_file_of_a_converter_in_three_dialects(tmp_path: Path, dialect: str) -> None:
    found = read_wafer_map(given_file(tmp_path, E142.format(dialect=dialect)))
    pass_bin = ord("P")
    assert set(found.dies) == {
        MapDie(2, 0, bin=pass_bin),
        MapDie(1, 0, DieUse.EDGE),
        MapDie(0, 0, DieUse.SKIP),
        MapDie(3, 1, bin=2),
        MapDie(2, 1, bin=pass_bin),
    }
    assert (found.wafer, found.lot, found.axes, found.notch_degrees) == ("X5", "N01", "DL", 270)
    assert found.pitch_metres == pytest.approx((0.63e-3, 0.64e-3))
    assert found.diameter_metres == pytest.approx(0.2)
    assert found.bins == (BinKind(pass_bin, True, "BIN1"), BinKind(2, False, ""))


def test_an_e142_file_without_definitions_still_tells_its_bins(tmp_path: Path) -> None:
    text = (
        "<MapData><SubstrateMaps><SubstrateMap SubstrateId='s'><Overlay><BinCodeMap BinType='HexaDecimal' NullBin='FF'>"
        "<BinCode>\n <![CDATA[FF81]]>\n</BinCode><BinCode>00ff</BinCode>"
        "</BinCodeMap></Overlay></SubstrateMap></SubstrateMaps></MapData>"
    )
    assert set(read_wafer_map(given_file(tmp_path, text)).dies) == {MapDie(1, 1, bin=0x81), MapDie(0, 0, bin=0)}


def test_a_sinf_file(tmp_path: Path) -> None:
    text = (
        "DEVICE:D\r\nLOT:L\r\nWAFER:07\r\nFNLOC:90\r\nROWCT:2\r\nCOLCT:3\r\nBCEQU:00,02\r\nREFPX:\r\nREFPY:\r\n"
        "DUTMS:mil\r\nXDIES:100\r\nYDIES:200\r\nRowData:__ 00 @@\r\nRowData:FF 0b fe\r\n"
    )
    found = read_wafer_map(given_file(tmp_path, text))
    assert found.dies == (
        MapDie(1, 0, bin=0),
        MapDie(2, 0),
        MapDie(0, 1, DieUse.SKIP),
        MapDie(1, 1, bin=11),
        MapDie(2, 1, DieUse.EDGE),
    )
    assert (found.wafer, found.notch_degrees, found.axes) == ("07", 90, "DR")
    assert found.pitch_metres == pytest.approx((2.54e-3, 5.08e-3))
    assert {kind.number: kind.passes for kind in found.bins} == {0: True, 2: True, 11: False}


def test_a_table_with_only_coordinates(tmp_path: Path) -> None:
    found = read_wafer_map(given_file(tmp_path, "\ufeff# wafer: W9\ny,x\n1,0\n2,-3\n"))
    assert found.dies == (MapDie(0, 1), MapDie(-3, 2))
    assert found.wafer == "W9"


BOMB = "".join(f'<!ENTITY e{n} "{"&e" + str(n - 1) + ";" * 10 if n else "lol"}">' for n in range(9))
DEEP = "<a>" * 5000 + "</a>" * 5000
HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "entity bomb": (f"<!DOCTYPE Map [{BOMB}]><Map>&e8;</Map>", "DOCTYPE"),
    "external entity": ('<!DOCTYPE Map [<!ENTITY x SYSTEM "file:///etc/passwd">]><Map>&x;</Map>', "DOCTYPE"),
    "external document type": ('<!DOCTYPE Map SYSTEM "http://127.0.0.1/x.dtd"><Map/>', "DOCTYPE"),
    "undeclared entity": ("<Map>&x;</Map>", "well-formed"),
    "too deep": (DEEP, "nested too deeply"),
    "too many elements": ("<a>" + "<b/>" * 100_000 + "</a>", "too many elements"),
    "UTF-16": (G85.format(origin=2).encode("utf-16"), "UTF-16"),
    "another encoding": (G85.replace('"1.0"', '"1.0" encoding="cp037"', 1).format(origin=2), "encoded as"),
    "wrong encoding": (b'<?xml version="1.0" encoding="utf-8"?><Map WaferId="\xff\xfe"/>', "well-formed"),
    "cut off": (G85[:400], "well-formed"),
    "no map": ("<html><body/></html>", "Device"),
    "rows that are missing": (G85.replace('Rows="2"', 'Rows="3"').format(origin=2), "cut off"),
    "rows of other lengths": (G85.replace("001 001 ]]", "001 ]]").format(origin=2), "row 2"),
    "absurd size in an attribute": (G85.replace('Rows="2"', 'Rows="2000000000000"').format(origin=2), "whole number"),
    "a bin nobody defined": (G85.replace("001 000", "001 009").format(origin=2), "not defined"),
    "a bin of another type": (G85.replace('BinCode="0"', 'BinCode="zz"').format(origin=2), "not of its type"),
    "a corner that is none": (G85.format(origin=9), "OriginLocation"),
    "a wafer that climbs": (G85.replace('"W3"', '"../../W3"').format(origin=2), "cannot be used as a name"),
    "a lot on another drive": (G85.replace('LotId="L"', 'LotId="C:L"').format(origin=2), "cannot be used as a name"),
    "a Windows device": (G85.replace('"W3"', '"con.txt"').format(origin=2), "cannot be used as a name"),
    "a size of nothing": (G85.replace('"8682.1"', '"nan"').format(origin=2), "no number"),
    "an endless size": (G85.replace('"8682.1"', '"1e400"').format(origin=2), "no number"),
    "no die": (G85.replace("001", "255").replace("000 ", "255 ").format(origin=2), "0 dies"),
    "unknown map type": (E142.replace("2DArray", "Coordinate").format(dialect="V1005"), "2DArray"),
    "units from nowhere": (E142.replace('"mm"', '"furlong"').format(dialect="V1005"), "units"),
    "a wrong instruction of ours": (
        '<?mtjlab axes="UR" x="1e9"?>' + G85[22:].format(origin=2),
        "whole number",
    ),
    "empty": ("  \n", "empty"),
    "null characters": ("x,y\n0,\x000\n", "null characters"),
    "bytes that are no text": (b"\x89PNG\r\n\x1a\n\x00\xff", "UTF-8"),
    "latin-1": ("# wafer: Prüfling\nx,y\n0,0\n".encode("latin-1"), "UTF-8"),
    "a table without columns": ("0,0\n1,1\n", "columns x and y"),
    "a die that is no number": ("x,y\n0,zero\n", "line 2"),
    "a number in other digits": ("x,y\n0,\u0661\n", "line 2"),
    "a die far away": ("x,y\n0,999999\n", "beyond"),
    "the same die twice": ("x,y\n1,1\n1,1\n", "twice"),
    "an unknown use": ("x,y,use\n1,1,perhaps\n", "use is"),
    "an open quote": ('x,y\n"1,1\n', "line 2"),
    "SINF that is cut off": ("WAFER:1\nROWCT:3\nRowData:01 01\n", "cut off"),
    "SINF with strange lines": ("WAFER:1\nRowData:01\nhello\n", "line 3"),
    "SINF of a strange code": ("WAFER:1\nRowData:01 G7\n", "not defined"),
    "SINF that climbs": ("WAFER:..\\..\\x\nRowData:01\n", "cannot be used as a name"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_and_broken_files_are_refused_in_words(what: str, tmp_path: Path) -> None:
    content, words = HOSTILE[what]
    path = given_file(tmp_path, content)
    with pytest.raises(InputError, match=words) as caught:
        read_wafer_map(path)
    assert str(path) in str(caught.value)


VALID = [G85.format(origin=3), E142.format(dialect="V1005"), "WAFER:1\nFNLOC:90\nRowData:01 __\nRowData:@@ FE\n"]
VALID.append("# wafer: w\n# pitch_mm: 5, 5\n# bin: 1, pass, good\nx,y,use,bin\n0,0,probe,1\n1,0,skip,\n")


@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_damaged_files_are_read_or_refused_and_nothing_else(
    tmp_path: Path, text: str, damages: list[tuple[float, int, bytes]]
) -> None:
    content = bytearray(text.encode())
    for part, length, inserted in damages:
        place = int(part * len(content))
        content[place : place + length] = inserted
    try:
        found = read_wafer_map(given_file(tmp_path, bytes(content)))
    except InputError:
        return
    assert found.dies


def test_a_file_too_large_is_not_read_at_all(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(InputError, match="larger than"):
        read_wafer_map(path)


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_wafer_map(tmp_path / name)


def test_a_grid_too_large_is_refused_before_it_is_made(tmp_path: Path) -> None:
    far = WaferMap("w", (MapDie(-50_000, -50_000, bin=1), MapDie(50_000, 50_000, bin=1)), bins=(BinKind(1, True),))
    for format in ("g85", "e142", "sinf"):
        with pytest.raises(InputError, match="cannot be a wafer"):
            write_wafer_map(far, tmp_path / "m", format=format)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["../w", "a/b", "w?", " w", "x" * 65, "nul"])
def test_names_that_no_file_can_have_are_not_written(name: str, tmp_path: Path) -> None:
    bad = WaferMap(name, (MapDie(0, 0),))
    with pytest.raises(InputError, match="name"):
        write_wafer_map(bad, tmp_path / "m", format="csv")
    assert list(tmp_path.iterdir()) == []


def test_a_bin_that_nobody_defined_is_not_written(tmp_path: Path) -> None:
    for format in ("g85", "e142", "sinf"):
        with pytest.raises(InputError, match="not defined"):
            write_wafer_map(WaferMap("w", (MapDie(0, 0, bin=3),)), tmp_path / "m", format=format)  # type: ignore[arg-type]
