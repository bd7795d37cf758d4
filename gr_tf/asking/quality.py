"""How good a model is, beside a prediction that needs no model: the first thing to know of an explanation."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from gr_tf.runs import html_text
from gr_tf.tasks import stage
from gr_tf.tasks.task import ERRORS
from gr_tf.tasks.trained import Trained

# By how much a model must be better than its baseline: as factors of the baseline's figure.
_MUCH_HIGHER, _MUCH_LOWER = 1.2, 0.98


@dataclasses.dataclass(frozen=True, eq=False)
class Quality:
    """Metrics of a model, and of its baseline on the same examples.

    Attributes:
        model, baseline: metrics by split, None of a split that is empty; no split where there is no baseline.
        baseline_name: what the baseline predicts.
        deciding: the metric that tells a good model from its baseline.
        asked: what was asked for, in the plural, such as "heads"; empty: what is usually asked for.
    """

    model: Mapping[str, Mapping[str, float] | None]
    baseline: Mapping[str, Mapping[str, float] | None]
    baseline_name: str
    deciding: str
    asked: str = ""

    @classmethod
    def of(cls, trained: Trained, query: Any = None) -> "Quality":
        """That of a trained model: as its training wrote it, or else measured; of questions such as a query."""
        task = trained.task
        asked = "" if query is None else task.unusual(query)
        if asked:
            return cls(*task.unusual_quality(trained.parameters, query), task.deciding, asked)
        return cls(*stage.quality_of(trained), task.baseline_name, task.deciding)

    def __repr__(self) -> str:
        split = self.held_out
        if split is None:
            return "Quality(nothing was held out)"
        ours, trivial = ((of[split] or {})[self.deciding] for of in (self.model, self.baseline))
        asked = f" of {self.asked}" if self.asked else ""
        return f"Quality({split} {self.deciding}{asked} {ours:.4f}; {self.baseline_name}: {trivial:.4f})"

    def _repr_html_(self) -> str:
        """For notebooks."""
        warned = [html_text.line(f"Warning: {self.warning}.")] if self.warning else []
        parts = [html_text.line(self.question, strong=True), html_text.table(self.frame().fillna("")), *warned]
        return html_text.block(parts)

    @property
    def question(self) -> str:
        """What the metrics answer, for people."""
        return f"Is the model any good{f' at predicting {self.asked}' if self.asked else ''}?"

    @property
    def held_out(self) -> str | None:
        """The split that decides: the test examples, or the validation examples if there are none; None: neither."""
        return next((split for split in ("test", "valid") if self.model.get(split) and self.baseline.get(split)), None)

    @property
    def warning(self) -> str | None:
        """Why explanations of the model are not to be trusted; None: nothing speaks against it."""
        split = self.held_out
        if split is None:
            return "nothing was held out: nobody knows whether this model is any good" if self.baseline_name else None
        ours, trivial = ((of[split] or {})[self.deciding] for of in (self.model, self.baseline))
        good = ours < _MUCH_LOWER * trivial if self.deciding in ERRORS else ours > _MUCH_HIGHER * trivial
        if good:
            return None
        name = self.deciding.upper() + (f" of {self.asked}" if self.asked else "")
        better = ours < trivial if self.deciding in ERRORS else ours > trivial
        return (
            f"do not trust an explanation of this model: its {name} of {ours:.3f} is {'hardly' if better else 'not'} "
            f"better than its baseline's {trivial:.3f} ({self.baseline_name})"
        )

    def frame(self) -> pd.DataFrame:
        """For people: a row for the model and one for its baseline, of each split that is not empty."""
        rows = []
        for split, metrics in self.model.items():
            for prediction, of_split in (("model", metrics), (self.baseline_name, self.baseline.get(split))):
                if of_split is not None:
                    told = {name: f"{value:.4f}" for name, value in of_split.items()}
                    rows.append({"split": split, "prediction": prediction, **told})
        return pd.DataFrame(rows or [{"split": "none: nothing was held out"}]).dropna(axis=1, how="all")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {**dataclasses.asdict(self), "warning": self.warning}
        return told if self.asked else {name: value for name, value in told.items() if name != "asked"}
