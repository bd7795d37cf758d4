"""Shows an answer as one HTML page that needs nothing else: no network, no other file."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import pandas as pd
from pandas.api.types import is_numeric_dtype

from gr_tf.asking.about import RatherThan, Several
from gr_tf.asking.answer import Answer, signed
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import Check, check_frame, conclusion, seeds_frame
from gr_tf.asking.check_plot import check_plot
from gr_tf.attribution.combined import queries_of
from gr_tf.report.graph_svg import graph_svg
from gr_tf.runs import files
from gr_tf.runs.outputs import check_output

# How many of a group's questions are listed.
_MOST_QUESTIONS = 20
# How many examples can be drawn, and how many are seen at first.
_MOST_DRAWN, _SHOWN = 60, 10


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """A set of examples that a search found, for people.

    Attributes:
        title, text: a heading and an explanation of the set.
        examples: the examples by name; all cells are text.
        rows: what the rows of `examples` are, if they are others than examples.
    """

    title: str
    text: str
    examples: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    rows: str = "examples"


def page(asker: Asker, answer: Answer, checks: Sequence[Check] = (), found: Sequence[Found] = ()) -> str:
    """Makes the page's HTML.

    Args:
        asker: the asker that answered.
        answer: the answer to show.
        checks: checks of the answer, if there are any.
        found: smallest sets, if there was a search for them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    frame = answer.frame
    ids, influences = frame.example_id.to_numpy(), frame.influence.to_numpy()
    query = answer.explanation.query
    values = answer.about.values if isinstance(answer.about, RatherThan) else (answer.value,)
    # A group has too many questions to draw.
    drawn = () if isinstance(answer.about, Several) else queries_of(query)
    drawings = [asker.task.drawing(one, value, ids, influences) for one, value in zip(drawn, values, strict=False)]
    num_drawn = min(len(frame), _MOST_DRAWN) if drawings else 0
    num_shown = min(num_drawn, _SHOWN)
    quality = asker.quality_at(query)
    return environment.get_template("page.html").render(
        answer=answer,
        method=asker.methods[answer.method].title,
        checks=checks,
        check_frames=(check_frame(checks), seeds_frame(checks)) if checks else (),
        conclusion=conclusion(checks),
        quality=quality.frame(),
        quality_question=quality.question,
        how_checked=asker.checker.how,
        check_plot=check_plot,
        minimal=found,
        timeline=asker.task.timeline(drawn[0], ids) if drawn else (),
        signed=signed,
        columns=list(frame.columns),
        numbers=[column for column in frame.columns if is_numeric_dtype(frame[column])],
        rows=frame.to_dict("records"),
        questions=_questions(asker, answer),
        # The second is for phones.
        drawn=[graph_svg(drawings, num_drawn, columns=columns, shown=num_shown) for columns in (7, 3)]
        if num_drawn
        else [],
        num_drawn=num_drawn,
        num_shown=num_shown,
        facts=[(name, told_fact(value)) for name, value in asker.facts().items()],
    )


def write_page(
    answer: Answer, path: pathlib.Path, checks: Sequence[Check] = (), *, overwrite: bool = False
) -> pathlib.Path:
    """Writes an answer's page; see Answer.page."""
    asker = answer.asker
    check_output(path, overwrite=overwrite, data=[asker.task.dataset.source])
    files.write_text(path, page(asker, answer, checks))
    return path


def _questions(asker: Asker, answer: Answer) -> list[tuple[str, float]]:
    """The first questions of a group, with the values of their answers; none of another answer."""
    if not isinstance(answer.about, Several):
        return []
    query = answer.explanation.query
    shown = queries_of(query)[:_MOST_QUESTIONS]
    return [
        (", ".join(asker.task.names_of(one)), value)
        for one, value in zip(shown, asker.checker.look(query).values, strict=False)
    ]


def told_fact(value: Any) -> str:
    """A fact's value on one line."""
    return "; ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, Mapping) else str(value)
