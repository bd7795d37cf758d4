"""Shows the best few answers to a question as one HTML page, a section each."""

import pathlib
from collections.abc import Sequence

import jinja2
from pandas.api.types import is_numeric_dtype

from gr_tf.asking.answer import Answer, signed
from gr_tf.asking.asker import Asker
from gr_tf.asking.check import Check, check_frame, conclusion, seeds_frame
from gr_tf.asking.check_plot import check_plot
from gr_tf.asking.page import Found, told_fact
from gr_tf.report.graph_svg import graph_svg

# How many examples of an answer are drawn, and of how many answers: a page is below 1 MB.
_DRAWN, _ANSWERS_DRAWN = 8, 20


def top_page(
    asker: Asker, answers: Sequence[Answer], checks: Sequence[Sequence[Check]] = (), found: Sequence[Found] = ()
) -> str:
    """Makes the page's HTML.

    Args:
        asker: the asker that answered.
        answers: from top_answers, at least one.
        checks: of each answer, if there are any.
        found: sets of examples that were searched, if any were.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    first, sections = answers[0], []
    quality = asker.quality_at(first.explanation.query)
    for place, (answer, own) in enumerate(zip(answers, checks or [()] * len(answers), strict=True)):
        frame = answer.frame
        ids, influences = frame.example_id.to_numpy(), frame.influence.to_numpy()
        drawn = len(frame) > 0 and place < _ANSWERS_DRAWN
        sections.append(
            {
                "answer": answer,
                "columns": list(frame.columns),
                "numbers": [column for column in frame.columns if is_numeric_dtype(frame[column])],
                "rows": frame.to_dict("records"),
                "largest": max(frame.influence.abs().max() if len(frame) else 0.0, 1e-300),
                "drawing": graph_svg(
                    asker.task.drawing(answer.explanation.query, answer.value, ids, influences), _DRAWN, columns=3
                )
                if drawn
                else None,
                "checks": own,
                "check_frames": (check_frame(own), seeds_frame(own)) if own else (),
                "conclusion": conclusion(own),
            }
        )
    return environment.get_template("top_page.html").render(
        first=first,
        method=asker.methods[first.method].title,
        title=asker.task.open_title,
        sections=sections,
        most_drawn=_DRAWN,
        answers_drawn=_ANSWERS_DRAWN,
        found=found,
        quality=quality.frame(),
        quality_question=quality.question,
        how_checked=asker.checker.how,
        check_plot=check_plot,
        signed=signed,
        facts=[(name, told_fact(value)) for name, value in asker.facts().items()],
    )
