"""Trains a model on your data, or continues a training that was killed, and says how good the model is.

gr_tf train --data_dir=my/folder
gr_tf train --data_dir=my/ratings --kind=sequences
gr_tf train --dataset=movielens-100k --model=ncf

The run's folder is then enough for `gr_tf explain`, `evaluate`, `suspects` and `export`.
"""

from gr_tf.asking.quality import Quality
from gr_tf.commands import open_flags
from gr_tf.report.tables import as_text
from gr_tf.runs.run_dir import RunDir

# The flags that --help lists.
sections = open_flags.sections


def main() -> None:
    """Trains."""
    kind = open_flags.kind()
    open_flags.refuse_settings(kind)
    trained, run_dir = open_flags.open_trained(kind)
    assert trained.path is not None
    result = RunDir.finished(trained.path, "gr_tf train").result()
    task = trained.task
    print(f"{task.config.model} on {task.num_examples} training examples of {task.dataset.name} ({task.kind}).")
    if trained.epoch < result["epochs"]:
        print(f"Epoch {trained.epoch} of {result['epochs']} was the best on the validation examples:")
    quality = Quality.of(trained)
    print(as_text(quality.frame()))
    if quality.warning:
        print(f"Warning: {quality.warning}.")
    told = ", ".join(f"{name} {value}" for name, value in task.config.to_dict().items() if name != "kept_epochs")
    print(f"Settings: {told}.")
    print(f"Written to {trained.path}; next: gr_tf explain --run_dir={run_dir} --query=...")
