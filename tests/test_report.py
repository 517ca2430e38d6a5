"""The page of a run says what the stored run says, loads nothing, and trusts no text."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.figures import WRONG_COLOUR, conductance_limits, written_figure
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Ints, State
from mtjlab.report import write_report
from mtjlab.run_result import load_result

SHAPE = (15, 15)
ROWS, COLS = [0, 1, 2, 4], [0, 1, 3, 5]
BITS = [[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1]]
SECTIONS = ["figures-of-the-run", "conductance", "defects", "written", "curve", "spread", "confusion", "incidents"]
SECTIONS += ["instruments", "stages", "provenance"]
VOID = {"meta", "br", "hr", "img", "input", "link"}
LOADING = {"script", "link", "img", "iframe", "object", "embed", "a", "form", "base", "video", "audio"}


class Page(HTMLParser):
    """Tags, attributes, and text below each element that has an id; complains of tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self.open: list[tuple[str, str | None]] = []
        self.feed(self.html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for name in [name for _, name in self.open if name] + ["page"]:
            self.texts[name] = self.texts.get(name, "") + data

    def text(self, name: str) -> str:
        return " ".join(self.texts.get(name, "").split())

    def ids(self) -> list[str]:
        return [str(attrs["id"]) for _, attrs in self.tags if "id" in attrs]

    def labels(self) -> list[str]:
        return [str(attrs["aria-label"]) for tag, attrs in self.tags if tag == "svg"]


def _maps() -> dict[str, ArrayMap]:
    rng = np.random.default_rng(1)
    p, ap = rng.normal(180e-6, 15e-6, SHAPE), rng.normal(95e-6, 8e-6, SHAPE)
    status = np.full(SHAPE, CellStatus.OK, dtype=np.int8)
    status[7, 7], status[8, 8], status[9, 9] = CellStatus.SHORT, CellStatus.OPEN, CellStatus.STUCK_P
    p[7, 7] = ap[7, 7] = 2e-3
    p[8, 8] = ap[8, 8] = 1e-8
    state = np.zeros(SHAPE, dtype=np.int8)
    both = ArrayMap(ap.copy(), p, ap, state, status, np.full(SHAPE, 1e-7), Conditions(0.1))
    written = state.copy()
    written[np.ix_(ROWS, COLS)] = BITS
    layer = replace(both, siemens=np.where(written == State.P, p, ap), state=written)
    return {"as_found": both, "both_states": both, "layer_1_written": layer, "layer_2_written": layer}


def _result() -> dict[str, Any]:
    layer = {"rows": ROWS, "cols": COLS, "bits": BITS, "served": "4 rows at once"}
    return {
        "command": "mtjlab demo --seed 3",
        "status": "complete",
        "reason": "all wines were classified",
        "started": "2025-03-24T14:03:11+01:00",
        "seed": 3,
        "accuracy": {
            "software": 176 / 178,
            "predicted_from_map": 175 / 178,
            "on_chip": 174 / 178,
            "on_chip_untuned": 166 / 178,
        },
        "write_fidelity": 0.98958,
        "write_pulses": 1264,
        "readings": 31877,
        "bench_seconds": 4821.7,
        "wall_seconds": 48.34,
        "visa_writes": 120331,
        "visa_queries": 64012,
        "defects": {"short": 1, "open": 1, "stuck_p": 1, "stuck_ap": 0, "unstable": 0, "unwritten": 0},
        "incidents": [],
        "outputs_off": True,
        "outputs": {"row": True, "col": True},
        "relays_open": True,
        "g_norm": {"untuned_siemens": 8.5e-5, "tuned_siemens": 7e-5},
        "curve": {"g_siemens": [5e-5, 7e-5, 9e-5], "predicted": [0.9, 0.98, 0.93]},
        "confusion": [[58, 1, 0], [1, 69, 1], [0, 1, 47]],
        "class_names": ["class_0", "class_1", "class_2"],
        "layers": [{"name": "hidden"} | layer, {"name": "output"} | layer],
        "instruments": [{"name": "row", "address": "GPIB0::24::INSTR", "model": "2400", "job": "drives rows"}],
        "stages": [
            {"name": "survey", "wall_seconds": 12.1, "bench_seconds": 60.2, "readings": 675, "pulses": 450},
            {"name": "train", "wall_seconds": 9.7, "bench_seconds": None, "readings": None, "pulses": None},
        ],
        "settings": {"read_volts": 0.1, "scheme": "grounded", "adaptive": True, "levels": [1, 2]},
        "versions": {"mtjlab": "0.1.0"},
        "problems": [],
    }


def _folder(path: Path, result: dict[str, Any], maps: dict[str, ArrayMap] | None = None) -> Path:
    (path / "maps").mkdir(parents=True)
    (path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    for name, one in (_maps() if maps is None else maps).items():
        one.save(path / "maps" / f"{name}.npz")
    return path


def _page(path: Path, maps: dict[str, ArrayMap] | None = None, **changes: Any) -> Page:
    return Page(write_report(_folder(path / "run", _result() | changes, maps)))


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return _page(tmp_path_factory.mktemp("complete"))


def test_the_headline_tells_the_result(complete: Page) -> None:
    expected = "97.8 % of 178 wines were classified correctly on the array; the same network in software: 98.9 %"
    assert complete.text("headline") == expected


def test_the_sections_come_in_their_order(complete: Page) -> None:
    assert [name for name in complete.ids() if name in SECTIONS] == SECTIONS


@pytest.mark.parametrize(
    "words",
    [
        "Accuracy on the array, tuned 97.8 % 174 of 178 wines",
        "Accuracy on the array, untuned 93.3 % 166 of 178 wines",
        "Accuracy predicted from the map 98.3 % 175 of 178 wines",
        "Accuracy in software 98.9 % 176 of 178 wines",
        "Write fidelity 98.96 %",
        "Write pulses 1 264",
        "Readings 31 877",
        "Bench time 1:20:22",
        "Wall time 48.3 s",
        "VISA messages 184 343 120 331 writes, 64 012 queries",
        "Incidents 0",
    ],
)
def test_key_figures(complete: Page, words: str) -> None:
    # only tags part a label from its value
    assert words.replace(" ", "") in complete.text("figures-of-the-run").replace(" ", "").replace("\u202f", "")


def test_every_figure_is_there_and_says_what_it_is(complete: Page) -> None:
    assert complete.labels() == [
        "Conductance map: As found",
        "Conductance map: Layer 1 (hidden), as written",
        "Conductance map: Layer 2 (output), as written",
        "Defect map of the array",
        "Written against wanted: Layer 1 (hidden)",
        "Written against wanted: Layer 2 (output)",
        "Accuracy against normalising conductance",
        "Histogram of the conductance in the P and the AP state",
    ]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("conductance", "Column (bit line)"),
        ("conductance", "Conductance (µS)"),
        ("conductance", "Enclosed: 4 rows × 4 columns; 4 rows at once."),
        ("written", "All 16 cells were read in the wanted state."),
        ("curve", "Untuned: 85 µS. Tuned on the measured map: 70 µS."),
        ("curve", "on the array, tuned: 97.8 %"),
        ("spread", "222 healthy cells"),
        ("confusion", "Classified on the array as"),
        ("incidents", "No incidents."),
        ("instruments", "GPIB0::24::INSTR"),
        ("provenance", "grounded"),
        ("provenance", "1, 2"),
    ],
)
def test_what_the_sections_say(complete: Page, section: str, words: str) -> None:
    assert words in complete.text(section)


def test_confusion_matrix_and_defect_counts(complete: Page) -> None:
    cells = [attrs for tag, attrs in complete.tags if tag == "td" and "--part" in str(attrs.get("style"))]
    assert len(cells) == 9
    assert sum("wrong" in str(attrs["class"]) for attrs in cells) == 4
    assert "97.2 %" in complete.text("confusion")
    for words in ("healthy222", "Sshort1", "Oopen1", "Pstuck in P1", "Astuck in AP0", "Wrefused its target0"):
        assert words.replace(" ", "") in complete.text("defects").replace(" ", "")


def test_stages_add_up_without_those_not_measured(complete: Page) -> None:
    assert "All stages" in complete.text("stages")
    assert "21.80" in complete.text("stages")
    assert "train9.70" in complete.text("stages").replace(" ", "")


def test_the_page_loads_nothing_and_is_small(complete: Page) -> None:
    assert "http" not in complete.html
    assert "@import" not in complete.html
    assert {tag for tag, _ in complete.tags} & LOADING == set()
    keys = {"src", "href", "xlink:href"}
    targets = [str(value) for _, attrs in complete.tags for key, value in attrs.items() if key in keys]
    assert all(target.startswith(("#", "data:image/png;base64,")) for target in targets)
    assert len(complete.html) < 3e6


def test_ids_are_unique_and_every_reference_has_its_target(complete: Page) -> None:
    ids = complete.ids()
    assert len(ids) == len(set(ids))
    used = {str(attrs["href"])[1:] for _, attrs in complete.tags if "href" in attrs}
    used |= {piece.split(")")[0] for piece in complete.html.split("url(#")[1:]}
    assert used
    assert used <= set(ids)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_report(_folder(tmp_path / name, _result())) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert write_report(tmp_path / "a").read_bytes() == second.read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["maps", "report.html", "result.json"]


@pytest.mark.parametrize(
    ("changes", "colour", "words"),
    [
        ({}, "green", "All outputs off All relays open"),
        ({"status": "stopped"}, "amber", "Stopped early"),
        ({"status": "failed"}, "red", "Failed"),
        ({"status": "lost"}, "red", "Ended: lost"),
        ({"problems": ["row did not answer once"]}, "amber", "row did not answer once"),
        ({"outputs": {"row": True, "col": False}, "outputs_off": False}, "red", "Output still on: col"),
        ({"outputs": {"row": None}, "outputs_off": False}, "red", "no answer from row"),
        ({"outputs": {}, "outputs_off": False}, "red", "Not all outputs are off"),
        ({"relays_open": False}, "red", "Relays still closed"),
        ({"relays_open": None}, "red", "Relay state unknown"),
        ({"incidents": [{"seconds": 1, "kind": "hot switching", "message": "row 3"}]}, "amber", "1 incident"),
    ],
)
def test_the_banner_is_as_bad_as_the_worst_it_reports(
    tmp_path: Path, changes: dict[str, Any], colour: str, words: str
) -> None:
    page = _page(tmp_path, {}, **changes)
    banner = next(attrs for _, attrs in page.tags if attrs.get("id") == "status")
    assert banner["class"] == f"banner {colour}"
    assert words in page.text("status")


def test_incidents_are_listed_and_counted(tmp_path: Path) -> None:
    events = [{"seconds": 1.25, "kind": "over-voltage", "message": f"event {n}."} for n in range(205)]
    page = _page(tmp_path, {}, incidents=events)
    assert "1.250 s" in page.text("incidents")
    assert "event 199." in page.text("incidents")
    assert "event 200." not in page.text("incidents")
    assert "and 5 more" in page.text("incidents")
    assert "Incidents205" in page.text("figures-of-the-run").replace(" ", "")


def test_a_run_stopped_early_shows_what_there_is(tmp_path: Path) -> None:
    maps = _maps()
    siemens = maps["as_found"].siemens.copy()
    siemens[9:] = np.nan
    partial = replace(maps["as_found"], siemens=siemens, is_partial=True)
    nothing = {"software": 0.9888, "predicted_from_map": None, "on_chip": None, "on_chip_untuned": None}
    page = _page(
        tmp_path, {"as_found": partial}, status="stopped", reason="Ctrl-C", accuracy=nothing, write_fidelity=None
    )
    assert page.text("headline") == "The run was stopped before the wines were classified on the array"
    assert "what it lacks is marked" in page.text("status")
    assert page.labels()[0] == "Conductance map: As found"
    assert "Partial: 135 of 225 cells measured, the others hatched." in page.text("conductance")
    assert page.text("conductance").count("not in this run folder") == 2
    assert "not in this run folder" in page.text("spread")
    assert "on the arraynot measured" in page.text("figures-of-the-run").replace("array not", "arraynot")


def test_a_run_with_nothing_but_its_status(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"status": "failed"}', encoding="utf-8")
    page = Page(write_report(tmp_path))
    assert page.text("headline") == "The run failed before the wines were classified on the array"
    assert "Output state not recorded" in page.text("status")
    assert page.labels() == []
    assert [name for name in page.ids() if name in SECTIONS] == SECTIONS
    for section in SECTIONS[1:-1]:
        assert "not in this run folder" in page.text(section), section
    assert "No incidents" not in page.html


def test_a_complete_run_without_accuracy_does_not_claim_one(tmp_path: Path) -> None:
    assert "no accuracy" in _page(tmp_path, {}, accuracy={}).text("headline")


def test_text_from_the_run_stays_text(tmp_path: Path) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7 * 7 }}$\\frac$'
    result = _result() | {
        "status": "failed",
        "reason": evil,
        "command": evil,
        "started": evil,
        "problems": [evil],
        "incidents": [{"seconds": 1, "kind": evil, "message": evil}],
        "outputs": {evil: False},
        "class_names": [evil] * 3,
        "instruments": [{"name": evil, "job": evil, "address": evil}],
        "stages": [{"name": evil}],
        "settings": {evil: evil},
        "versions": {evil: evil},
    }
    for layer in result["layers"]:
        layer |= {"name": evil, "served": evil}
    maps = {name: replace(one, provenance={evil: evil}) for name, one in _maps().items()}
    page = Page(write_report(_folder(tmp_path / "run", result, maps)))
    assert {tag for tag, _ in page.tags} & LOADING == set()
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    for section in (
        "status",
        "conductance",
        "written",
        "confusion",
        "incidents",
        "instruments",
        "stages",
        "provenance",
    ):
        assert evil in page.text(section), section
    assert f"Conductance map: Layer 1 ({evil}), as written" in page.labels()


def test_cells_that_are_not_as_wanted_are_counted_and_crossed(tmp_path: Path) -> None:
    maps = _maps()
    state, status = maps["layer_1_written"].state.copy(), maps["layer_1_written"].status.copy()
    state[0, 0], state[1, 1] = State.AP, State.UNKNOWN
    status[0, 0] = CellStatus.UNWRITTEN
    maps["layer_1_written"] = replace(maps["layer_1_written"], state=state, status=status)
    page = _page(tmp_path, maps)
    assert "Of 16 cells, 1 was not read in the wanted state and 1 is unknown." in page.text("written")
    assert "Wrefusedits target1".replace(" ", "") in page.text("defects").replace(" ", "")


def test_a_cross_is_drawn_only_where_states_differ() -> None:
    wanted: Ints = np.full((3, 3), State.P, dtype=np.int8)
    differing = wanted.copy()
    differing[1, 2] = State.AP
    unknown: Ints = np.full((3, 3), State.UNKNOWN, dtype=np.int8)
    crossed = [WRONG_COLOUR in written_figure(wanted, state, "map") for state in (wanted, differing, unknown)]
    assert crossed == [False, True, False]


def test_defects_do_not_stretch_the_colour_scale() -> None:
    low, high = conductance_limits(_maps().values())
    assert 50e-6 < low < 80e-6
    assert 200e-6 < high < 260e-6
    assert conductance_limits([]) == (0.0, 100e-6)


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "run", _result() | {"stages": "soon", "readings": "many"})
    whole = (folder / "maps" / "as_found.npz").read_bytes()
    (folder / "maps" / "as_found.npz").write_bytes(whole[: len(whole) // 2])
    page = Page(write_report(folder))
    for words in ("stages in result.json", "readings in result.json", "maps/as_found.npz"):
        assert f"{words} could not be read" in page.text("status")
    assert "97.8 %" in page.text("headline")


def test_a_layer_that_does_not_fit_the_array_is_not_drawn(tmp_path: Path) -> None:
    layers = [{"name": "wide", "rows": [0, 99], "cols": [0, 1], "bits": [[1, 0], [0, 1]]}]
    page = _page(tmp_path, layers=layers)
    assert "The layer does not fit this map." in page.text("conductance")
    assert "Written against wanted: Layer 1 (wide)" not in page.labels()


@pytest.mark.parametrize("content", [None, "not json", "[1]", '{"status": 3}', '{"reason": "x"}'])
def test_a_folder_without_a_result_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "result.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"result\.json"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_layer_named_after_its_number_is_not_named_twice(tmp_path: Path) -> None:
    layers = [layer | {"name": f"layer {number}"} for number, layer in enumerate(_result()["layers"], 1)]
    assert _page(tmp_path, layers=layers).labels()[1] == "Conductance map: Layer 1, as written"


def test_null_is_as_good_as_missing(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(
        json.dumps(dict.fromkeys(_result(), None) | {"status": "complete"}), encoding="utf-8"
    )
    assert load_result(tmp_path / "result.json")[1] == []
    write_report(tmp_path)
