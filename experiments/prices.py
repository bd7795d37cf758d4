"""Which answer is best at the price of 1, 3, and 10 whole trainings? Compares methods with a finished atlas.

python -m experiments.prices --atlas=experiments/results/atlas_nations_distmult.npz
python -m experiments.prices --data_dir=runs/fb15k237-150 --atlas=runs/fb15k237-150-atlas/distmult/both8/atlas.npz

The explained trainings have the atlas's settings and seeds that no atlas has. The table has Spearman's correlation
with the expected effects as a share of what noise allows. Finished trainings are found again.
"""

from gr_tf.commands import atlas_flag, common, run_flags, triple_flags
from gr_tf.evaluation.atlas_scores import Scoring
from gr_tf.evaluation.prices import measure_prices
from gr_tf.report.figures import save
from gr_tf.report.price_tables import calibration_frame, price_frame, reliability_figure
from gr_tf.report.tables import as_text
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig

common.adopt(run_flags, triple_flags, atlas_flag)


def main() -> None:
    dataset = triple_flags.load_dataset()
    scoring = Scoring.read(atlas_flag.path(), dataset)
    task = TripleTask(dataset, TripleConfig(**scoring.settings["config"]))
    folder = run_flags.run_dir(f"{dataset.name}-prices") / task.config.model
    result = measure_prices(task, scoring, folder, overwrite=run_flags.OVERWRITE.value)
    save(reliability_figure(result), folder / "reliability.png")
    print(as_text(price_frame(result)))
    print(as_text(calibration_frame(result)))
    print(f"Written to {folder}.")


if __name__ == "__main__":
    common.start(main)
