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
    for answer, own in zip(answers, checks or [()] * len(answers), strict=True):
        frame = answer.frame
        sections.append(
            {
                "answer": answer,
                "columns": list(frame.columns),
                "numbers": [column for column in frame.columns if is_numeric_dtype(frame[column])],
                "rows": frame.to_dict("records"),
                "largest": max(frame.influence.abs().max() if len(frame) else 0.0, 1e-300),
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
        found=found,
        quality=quality.frame(),
        quality_question=quality.question,
        how_checked=asker.checker.how,
        check_plot=check_plot,
        signed=signed,
        facts=[(name, told_fact(value)) for name, value in asker.facts().items()],
    )
