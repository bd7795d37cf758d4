"""Writes a trained model's embeddings for other programs: numpy, TensorBoard's projector, tf.train.

gr_tf export --run_dir=runs/mine --output_dir=runs/mine/export
tensorboard --logdir=runs/mine/export

These are data for programs: names are as they are, but for tabs and ends of lines, which become blanks.
"""

import pathlib

from absl import flags

from gr_tf.commands import help_text, run_flags
from gr_tf.errors import InputError
from gr_tf.report.export import export, exported_names
from gr_tf.runs import engine
from gr_tf.runs.outputs import check_output
from gr_tf.tasks import stage

_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Where to write. Default: export in the run's folder.")


def sections() -> list[help_text.Section]:
    """The flags that --help lists."""
    return [("Flags", [run_flags.RUN_DIR.name, _OUTPUT_DIR.name, run_flags.OVERWRITE.name])]


def main() -> None:
    """Exports."""
    if run_flags.RUN_DIR.value is None:
        raise InputError("name the folder of a run with --run_dir.")
    folder = pathlib.Path(run_flags.RUN_DIR.value)
    stage.kind_of_run(folder)
    engine.start_quietly()
    trained = stage.load(folder)
    embeddings = trained.task.embeddings(trained.parameters)
    output = pathlib.Path(_OUTPUT_DIR.value or folder / "export")
    for name in exported_names(list(embeddings)):
        check_output(output / name, overwrite=run_flags.OVERWRITE.value, data=[trained.task.dataset.source])
    export(output, embeddings, trained.parameters.shared)
    told = ", ".join(f"{len(rows)} {kind} of {rows.shape[1]} numbers" for kind, (rows, *_) in embeddings.items())
    print(f"Written to {output}: {told}. To look at them: tensorboard --logdir={output}")
