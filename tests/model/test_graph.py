"""Pictures of computation graphs: golden files, and that boxes and labels do not lie on each other."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from mcalc.cli import program, run
from mcalc.formats.graph import svg
from mcalc.formats.layered import Box, Link, layered
from mcalc.model.graph import drawn
from mcalc.model.library import names

SPACE = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", ["scalar_graph", "mlp", "rnn"])
def test_golden(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"models/graph/{name}.svg", svg(drawn(name)))


def test_scalar_graph_is_the_textbooks() -> None:
    graph = drawn("scalar_graph")
    assert [(n.key, n.kind, str(n.value)) for n in graph.nodes if n.value is not None] == [
        ("r", "definition", "y + x"), ("z", "definition", "r x"), ("loss", "loss", "z"),
    ]  # fmt: skip
    assert [(e.source, e.target, str(e.back)) for e in graph.edges] == [
        ("y", "r", "r_bar"), ("x", "r", "r_bar"), ("r", "z", "x"), ("x", "z", "r"), ("z", "loss", "1"),
    ]  # fmt: skip


def boxes(root: ET.Element) -> list[tuple[float, float, float, float]]:
    """The rectangles of nodes: left, top, right, bottom (not those of the legend)."""
    found = []
    for group in root.iter(f"{SPACE}g"):
        rectangle = group.find(f"{SPACE}rect")
        if group.get("class", "").startswith("node") and group.find(f"{SPACE}title") is not None:
            x, y, w, h = (float(rectangle.get(k)) for k in ("x", "y", "width", "height"))
            found.append((x, y, x + w, y + h))
    return found


def apart(a: tuple, b: tuple) -> bool:
    return a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]


@pytest.mark.parametrize("name", names())
def test_nothing_lies_on_anything(name: str) -> None:
    text = svg(drawn(name))
    assert text == svg(drawn(name))
    root = ET.fromstring(text)
    nodes = boxes(root)
    labels = []
    for label in root.iter(f"{SPACE}text"):
        if label.get("class") == "label":
            words = "".join(label.itertext())[len(label.findtext(f"{SPACE}title") or "") :]
            x, y = float(label.get("x")), float(label.get("y"))
            labels.append((x - 6.1 * len(words), y - 8, x, y + 1))
    loops = []
    for rectangle in root.iter(f"{SPACE}rect"):
        if rectangle.get("class") == "loop":
            x, y, w, h = (float(rectangle.get(k)) for k in ("x", "y", "width", "height"))
            loops.append((x, y, x + w, y + h))
    assert nodes
    for kind in (nodes, labels, loops):
        for i, a in enumerate(kind):
            assert all(apart(a, b) for b in kind[i + 1 :])
    assert all(apart(a, b) for a in nodes for b in labels)
    for node in nodes:
        for loop in loops:
            inside = loop[0] <= node[0] and node[2] <= loop[2] and loop[1] <= node[1] and node[3] <= loop[3]
            assert inside or apart(node, loop)
    width, height = map(float, root.get("viewBox").split()[2:])
    assert all(x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height for x0, y0, x1, y1 in nodes)


def test_every_edge_goes_to_the_right() -> None:
    links = [Link("a", "b"), Link("b", "c"), Link("a", "c"), Link("d", "c")]
    layout = layered({key: Box(40, 20) for key in "abcd"}, links)
    for route in layout.routes.values():
        assert all(p.x <= q.x for p, q in pairwise(route))
    assert layout.places["d"].x > layout.places["a"].x


def test_text_is_escaped(tmp_path: Path) -> None:
    model = tmp_path / "m.mc"
    model.write_text("model m\n\ninput x : n\nparam w : n\nz = x .* w\nh = relu(z)\nloss = sum(h)\n", encoding="utf-8")
    done = CliRunner().invoke(program, ["graph", str(model)])
    assert done.exit_code == 0
    assert "z &gt; 0" in done.output
    ET.fromstring(done.output)


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "mlp.svg"
    assert run(["graph", "mlp", "-o", str(path)]) == 0
    assert path.read_text(encoding="utf-8") == svg(drawn("mlp"))
    assert run(["graph", "mlp", "-o", str(path)]) == 2
    assert run(["graph", "mlp", "-o", str(path), "--force", "--wrt", "W1"]) == 0
    assert run(["graph", "deep_mlp", "--set", "L=2"]) == 0
    assert run(["graph", "no_such"]) == 2


@pytest.mark.parametrize("name", ["mlp.png", "mlp.PDF", "mlp.dot"])
def test_a_picture_is_svg(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["graph", "mlp", "-o", str(tmp_path / name)]) == 2
    assert f"{name}: pictures are SVG" in (told := capsys.readouterr().err) and "mlp.svg" in told
    assert not list(tmp_path.iterdir())
    assert run(["graph", "mlp", "-o", str(tmp_path / "mlp.SVG")]) == 0
    assert run(["graph", "mlp", "-o", str(tmp_path / "mlp")]) == 0
