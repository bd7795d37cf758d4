"""The page in a real browser: what it shows, that it asks for nothing, and that names are text."""

import csv
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gr_tf.asking.asker import Asker
from gr_tf.asking.page import Found, page
from gr_tf.asking.top_answers import top_answers
from gr_tf.asking.top_page import top_page
from gr_tf.data.sources import load_triples
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
IN_BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here to open the page with")
NASTY = [
    "<script>document.title='broken'</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"quotes\" & 'apostrophes'",
    "\u0645\u0631\u062d\u0628\u0627 abc",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family",
    "{{ 7 * 7 }}",
    "a" * 300,
]


@pytest.fixture(scope="module")
def nasty_asker(tmp_path_factory: pytest.TempPathFactory) -> Asker:
    folder = tmp_path_factory.mktemp("nasty")
    generator = np.random.default_rng(0)
    rows = [(*generator.choice(NASTY, 1), f"r{generator.integers(3)}", *generator.choice(NASTY, 1)) for _ in range(150)]
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("head", "relation", "tail"), *sorted(set(rows))])
    triples = load_triples(data_dir=folder)
    config = TripleConfig(dim=10, num_negatives=len(triples.entities) - 1, epochs=5, dtype="float64")
    return Asker(train_in_memory(TripleTask(triples, config), validating=True))


def question(*parts: str) -> str:
    return ",".join('"' + part.replace('"', '""') + '"' for part in parts)


def write_page(asker: Asker, asked: str, k: int, path: pathlib.Path) -> pathlib.Path:
    answer = asker.answer(asked, k=k)
    checks = asker.check(answer, seeds=2)
    examples = pd.DataFrame({"head": [NASTY[0]], "tail": [NASTY[1]], "example_id": ["7"]})
    found = [Found("A set: 1", "It was found.", examples)]
    text = page(asker, answer, checks, found)
    path.write_text(text, encoding="utf-8")
    assert len(text.encode()) < 1_000_000
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


def opened(browser: Any, path: pathlib.Path, **options: Any) -> tuple[Any, list[str]]:
    """The page, and everything that went wrong while it was opened."""
    shown = browser.new_context(**options).new_page()
    wrong: list[str] = []
    shown.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("request", lambda request: wrong.append(request.url) if not request.url.endswith(path.name) else None)
    shown.on("dialog", lambda dialog: wrong.append(dialog.message))
    shown.goto(path.as_uri())
    return shown, wrong


@pytest.mark.slow
@IN_BROWSER
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_are_text(browser: Any, nasty_asker: Asker, tmp_path: pathlib.Path, scheme: str) -> None:
    path = write_page(nasty_asker, question(NASTY[0], "r1", "?"), 50, tmp_path / "why.html")
    shown, wrong = opened(browser, path, color_scheme=scheme)
    assert wrong == []
    assert shown.title().startswith("Why ")
    assert shown.locator("img").count() == 0
    assert shown.locator("script").count() == 1
    text = shown.inner_text("body")
    for name in NASTY:
        assert name in text
    titles = shown.locator("#graph .node title").all_text_contents()
    assert set(titles) <= set(NASTY)
    dark = shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 26)"
    assert dark == (scheme == "dark")


@IN_BROWSER
def test_search_sort_and_slider(browser: Any, nasty_asker: Asker, tmp_path: pathlib.Path) -> None:
    answer = nasty_asker.answer(question(NASTY[2], "r0", "?"), k=6)
    path = write_page(nasty_asker, question(NASTY[2], "r0", "?"), 6, tmp_path / "why.html")
    shown, wrong = opened(browser, path)
    rows = shown.locator("#examples tbody tr")
    assert rows.count() == len(answer.frame)
    wanted = answer.frame["relation"].iloc[0]
    # By keyboard alone.
    shown.locator("#search").focus()
    shown.keyboard.type(wanted)
    count = int(answer.frame.astype(str).apply(lambda row: wanted in " ".join(row), axis=1).sum())
    assert shown.locator("#examples tbody tr:visible").count() == count
    assert shown.locator("#found").inner_text() == f"{count} of {len(answer.frame)}"
    shown.locator("#search").fill("")
    column = list(answer.frame.columns).index("example_id")
    for direction in ("descending", "ascending"):
        shown.locator("#examples th button").nth(column).focus()
        shown.keyboard.press("Enter")
        got = [int(text) for text in shown.locator(f"#examples tbody td:nth-child({column + 1})").all_inner_texts()]
        assert got == sorted(answer.frame.example_id, reverse=direction == "descending")
        assert shown.locator("#examples th").nth(column).get_attribute("aria-sort") == direction
    for number in (1, len(answer.frame)):
        shown.locator("#shown").fill(str(number))
        assert shown.locator("#graph .edge[data-example]:visible").count() == number
        assert shown.locator("#graph .edge.query:visible").count() == 1
    edge = shown.locator("#graph .edge[data-example]").first
    example = edge.get_attribute("data-example")
    row = shown.locator(f"#examples tr[data-example='{example}']")
    for look, away in ((row.hover, lambda: shown.mouse.move(1, 1)), (row.focus, shown.locator("#search").focus)):
        look()
        assert "faded" not in (edge.get_attribute("class") or "")
        assert shown.locator("#graph .edge.faded:visible").count() == len(answer.frame)
        away()
        assert shown.locator("#graph .edge.faded").count() == 0
    assert wrong == []


@IN_BROWSER
@pytest.mark.parametrize(("name", "asked"), [("rating_asker", "u1,i2"), ("sequence_asker", "i1,i2,i3,?")])
def test_on_a_phone(
    browser: Any, request: pytest.FixtureRequest, tmp_path: pathlib.Path, name: str, asked: str
) -> None:
    """Nothing makes the page wider than the screen."""
    asker: Asker = request.getfixturevalue(name)
    path = write_page(asker, asked, 50, tmp_path / "why.html")
    shown, wrong = opened(browser, path, viewport={"width": 360, "height": 700})
    assert wrong == []
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    assert asker.task.unit in shown.inner_text("main")
    assert shown.locator("#graph .edge.query:visible").count() == 1


# Pairs of visible texts of a drawing that share more than a pixel.
COVERED = """() => [...document.querySelectorAll(".drawn svg")].flatMap(svg => {
  const texts = [...svg.querySelectorAll("text")].filter(text => text.getBoundingClientRect().width);
  const boxes = texts.map(text => [text, text.getBBox()]);
  const across = (a, b) => Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const down = (a, b) => Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return boxes.flatMap(([one, a], place) => boxes.slice(place + 1)
    .filter(([, b]) => across(a, b) > 1 && down(a, b) > 2).map(([other]) => [one.textContent, other.textContent]));
})"""


@pytest.mark.slow
@IN_BROWSER
@pytest.mark.parametrize("width", [390, 1200])
def test_no_text_of_a_drawing_covers_another(
    browser: Any, nasty_asker: Asker, tmp_path: pathlib.Path, width: int
) -> None:
    """In the reader's font, whatever the names are."""
    path = write_page(nasty_asker, question(NASTY[0], "r1", "?"), 50, tmp_path / "why.html")
    shown, wrong = opened(browser, path, viewport={"width": width, "height": 700})
    slider = shown.locator("#shown")
    for number in (1, 10, int(slider.get_attribute("max") or 0)):
        slider.fill(str(number))
        assert shown.locator("#graph .edge[data-example]:visible").count() == number
        assert shown.locator("#graph svg:visible").count() == 1
        assert shown.evaluate(COVERED) == []
        # Nothing that is drawn is cut off.
        assert shown.evaluate("""() => {
            const svg = [...document.querySelectorAll("#graph svg")].find(one => one.getBoundingClientRect().width);
            const [all, box] = [svg.getBBox(), svg.viewBox.baseVal];
            return all.y >= box.y && all.y + all.height <= box.y + box.height && all.x + all.width <= box.width;
        }""")
    assert wrong == []


@IN_BROWSER
def test_the_page_of_several_answers_on_a_phone(browser: Any, nasty_asker: Asker, tmp_path: pathlib.Path) -> None:
    """Each answer has its drawing; rows and edges mark each other, by keyboard and by touch."""
    answers = top_answers(nasty_asker, question(NASTY[1], "r1", "?"), n=3, k=6)
    path = tmp_path / "top.html"
    path.write_text(top_page(nasty_asker, answers), encoding="utf-8")
    shown, wrong = opened(browser, path, viewport={"width": 390, "height": 700}, has_touch=True)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    assert shown.locator("section .drawn svg:visible").count() == 3
    assert shown.evaluate(COVERED) == []
    section = shown.locator("#answer-2")
    edges = section.locator(".edge[data-example]")
    assert edges.count() == min(8, len(answers[1].frame))
    example = edges.first.get_attribute("data-example")
    row = section.locator(f"tr[data-example='{example}']")
    row.focus()
    assert section.locator(".edge.faded").count() == edges.count()  # All but it, and the question.
    assert shown.locator("#answer-1 .edge.faded").count() == 0
    shown.keyboard.press("Tab")
    assert "faded" in (edges.first.get_attribute("class") or "") or edges.count() == 1
    edges.first.locator("text").tap()
    assert "marked" in (row.get_attribute("class") or "")
    assert wrong == []


def test_a_page_without_a_browser(nasty_asker: Asker, tmp_path: pathlib.Path) -> None:
    text = write_page(nasty_asker, question(NASTY[3], "r2", "?"), 50, tmp_path / "why.html").read_text("utf-8")
    for name in (NASTY[0], NASTY[1]):
        assert name not in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_what_a_page_of_sequences_shows(sequence_asker: Asker, tmp_path: pathlib.Path) -> None:
    text = write_page(sequence_asker, "i1,i2,i3,?", 5, tmp_path / "why.html").read_text("utf-8")
    answer = sequence_asker.answer("i1,i2,i3,?", k=5)
    wide, narrow = re.findall(r"<svg .*?</svg>", text.split('<div id="graph"')[1].split("<h2>")[0])
    for drawing in (wide, narrow):
        assert f"<title>i3, {answer.value:.2g}, {answer.predicted}</title>" in drawing
        edges = {int(at): title for at, title in re.findall(r'data-example="(\d+)"[^>]*><title>(.*?)<', drawing)}
        assert list(edges) == answer.frame.sort_values("influence", key=abs, ascending=False).example_id.tolist()
        for row in answer.frame.to_dict("records"):
            start, _, end = edges[row["example_id"]].rsplit(": ", 1)[0].split(", ")
            assert (start, end) == (row["after"], row["item"])
    for part in ("top-1 changed", f"The model gives <bdi>{answer.predicted}</bdi> a probability", "its item is in the"):
        assert part in text
    # The history as a timeline, with how many of the shown examples share each item.
    (line,) = re.findall(r'<ol class="timeline">(.*?)</ol>', text, re.DOTALL)
    assert re.findall(r"<bdi>(.*?)</bdi>", line) == ["i1", "i2", "i3", answer.predicted]
    histories = sequence_asker.task.dataset.train.only(answer.frame.example_id.to_numpy()).histories
    counts = [int((histories == item).any(axis=1).sum()) for item in answer.explanation.query.history]
    assert re.findall(r"also before (\d+) of", line) == [str(count) for count in counts if count]
    assert any(counts)
