"""Shows an answer in a notebook: the page's tables and its drawing, small, and without a script."""

from gr_tf.asking.answer import Answer, signed
from gr_tf.report.graph_svg import graph_svg
from gr_tf.runs import html_text


def answer_html(answer: Answer) -> str:
    """The answer, how good the model is, alternatives, examples, and their graph, as HTML."""
    asker, frame = answer.asker, answer.frame
    question = ", ".join(answer.asked)
    averaged = f" Means over {answer.trainings} trainings." if answer.trainings > 1 else ""
    parts = [
        html_text.line(f"({question}) \u2192 {answer.predicted}, {answer.unit} {answer.value:.4f}", strong=True)
        if answer.is_plain
        else html_text.line(answer.about.told(answer.value), strong=True),
        *(html_text.line(f"Warning: {warning}.") for warning in answer.warnings),
    ]
    if answer.alternatives:
        others = ", ".join(f"{other.name} {other.value:.4f}" for other in answer.alternatives)
        told = "the best that are not known already" if asker is None else asker.task.open_title
        parts.append(html_text.line(f"{told[0].upper()}{told[1:]}: {others}"))
    if asker is not None:
        parts.append(html_text.line(f"{asker.methods[answer.method].title}.{averaged}"))
    shown = frame.assign(influence=frame.influence.map(signed))
    if "standard error" in shown:
        shown["standard error"] = shown["standard error"].map("{:.4f}".format)
    parts.append(html_text.table(shown))
    if asker is not None and answer.is_plain:
        ids, influences = frame.example_id.to_numpy(), frame.influence.to_numpy()
        parts.append(graph_svg(asker.task.drawing(answer.explanation.query, answer.value, ids, influences)))
    return html_text.block(parts)
