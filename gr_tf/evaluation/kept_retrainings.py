"""Retrainings that are done once for a run, whoever asks for them: its folder keeps the outcomes."""

import dataclasses
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from gr_tf.evaluation.many_retrainings import retrain
from gr_tf.evaluation.retraining import Known, Outcome, Retraining, Trainers, check_jobs
from gr_tf.runs.made_with import decisive, difference
from gr_tf.runs.run_dir import RunDir
from gr_tf.runs.shared_journal import SharedJournal

# Their folder in the run's, and the journal in it.
CHECKS, _JOURNAL = "checks", "retrainings.jsonl"
# The key of a retraining is never the same for other data, settings, models, questions, or removals.
_FIELDS = ("retraining", "made_with", "epoch", "measured", "epochs")


class KeptRetrainings:
    """The retrainings of a run's checks.

    What was made by another gr_tf, TensorFlow, NumPy, or processor is found only with RunDir.any_version.

    Attributes:
        others: what made those that were found so, as "gr_tf 0.1.0, not 0.2.0".
    """

    def __init__(self, run_dir: pathlib.Path) -> None:
        """
        Args:
            run_dir: the run's folder.
        """
        self._folder = run_dir / CHECKS
        self._journal = SharedJournal(self._folder / _JOURNAL, _FIELDS)
        self.others: tuple[str, ...] = ()

    @property
    def grows(self) -> bool:
        """Whether new outcomes can be kept; else those that are there are only read."""
        return os.access(self._folder if self._folder.exists() else self._folder.parent, os.W_OK)

    def delete(self) -> None:
        """Deletes what is kept."""
        self._journal.delete()

    def found(self, retrainings: Sequence[Retraining]) -> dict[int, Outcome]:
        """The outcomes that are known, by the places of the retrainings.

        Raises:
            DamagedError: if the journal is damaged.
        """
        now, known = decisive(), dict[str, Outcome]()
        wanted, others = {one.key for one in retrainings}, dict[str, str]()
        for record in self._journal.records():
            key = record["retraining"]
            if key not in wanted:
                continue
            other = difference(record["made_with"], now)
            if not other:
                others.pop(key, None)
            elif RunDir.any_version and key not in known:
                others[key] = other
            else:
                continue
            known[key] = Outcome(record["epoch"], record["measured"], record["epochs"])
        self._tell(set(others.values()).difference(self.others))
        return {place: known[one.key] for place, one in enumerate(retrainings) if one.key in known}

    def _tell(self, others: Iterable[str]) -> None:
        for other in sorted(others):
            print(f"{self._folder}: retrainings were made with {other}: the last digits may differ.", file=sys.stderr)
            self.others = (*self.others, other)

    def retrain(
        self,
        retrainings: Sequence[Retraining],
        jobs: int,
        *,
        known: Known = (),
        on_found: Callable[[int], object] = lambda blocks: None,
        on_block: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[int, Outcome]]:
        """Yields what many_retrainings.retrain does, to the bit: first what is found, then what is missing.

        Each outcome is kept as soon as it is known.

        Args:
            retrainings, jobs, known, on_found, on_block: see many_retrainings.retrain.

        Raises:
            InputError: see many_retrainings.retrain; also if the journal is damaged, or cannot be written.
            TrainingError: see many_retrainings.retrain.
        """
        check_jobs(jobs)
        found, trainers = self.found(retrainings), Trainers(known)
        for place, outcome in found.items():
            one = retrainings[place]
            on_found(len(trainers.task(one.task).steps.blocks(one.length)))
            yield place, outcome
        places = [place for place in range(len(retrainings)) if place not in found]
        missing = [retrainings[place] for place in places]
        if not missing:
            return
        made, grows = decisive(), self.grows
        for number, outcome in retrain(missing, jobs, known=known, on_found=on_found, on_block=on_block):
            if grows:
                about: dict[str, Any] = {"retraining": missing[number].key, "made_with": made}
                self._journal.add({**about, **dataclasses.asdict(outcome)})
            yield places[number], outcome
