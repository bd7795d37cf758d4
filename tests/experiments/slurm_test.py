"""The example of an array of Slurm jobs: what each job runs, and, where there is a Slurm, the table that comes out."""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "experiments" / "slurm_example.sbatch"


def has_cluster() -> bool:
    """Whether a Slurm is installed whose controller answers."""
    if shutil.which("sbatch") is None:
        return False
    return subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=60, check=False).returncode == 0


def test_each_job_is_a_shard(tmp_path: pathlib.Path) -> None:
    text = SCRIPT.read_text()
    assert "#SBATCH --array=1-64\n" in text
    assert "\nshards=64 " in text
    told = tmp_path / "told"
    for number in (1, 64):
        environment = {**os.environ, "SLURM_ARRAY_TASK_ID": str(number), "SLURM_CPUS_PER_TASK": "2"}
        command = ["bash", str(SCRIPT), "bash", "-c", f'printf "%s\\n" "$@" > {told}', "program", "a b", "--seed=3"]
        subprocess.run(command, env=environment, check=True)
        assert told.read_text().splitlines() == ["a b", "--seed=3", f"--shard={number}/64", "--jobs=2"]
    failed = subprocess.run(["bash", SCRIPT, "false"], env=environment, check=False)
    assert failed.returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(not has_cluster(), reason="needs a Slurm that runs: Debian's slurm-wlm is not here, or not started")
def test_an_array_of_jobs(tmp_path: pathlib.Path) -> None:
    """Three shards of a small table, as the script says it, and then the table of one process."""
    script = tmp_path / "three.sbatch"
    text = SCRIPT.read_text().replace("--array=1-64", "--array=1-3").replace("shards=64", "shards=3")
    script.write_text(text.replace("--mem=4G", "--mem=0"))
    program = [sys.executable, "-m", "gr_tf"]
    evaluate = [*program, "evaluate", "--dataset=nations", "--num_queries=3", "--epochs=2", "--ks=1,10"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def run(*command: object) -> str:
        done = subprocess.run(
            list(map(str, command)), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    job = run("sbatch", "--parsable", script, *evaluate, "--run_dir=sharded").strip()
    until = time.monotonic() + 900
    while run("squeue", "--noheader", f"--jobs={job}").strip():
        assert time.monotonic() < until
        time.sleep(2)
    outputs = [(tmp_path / f"slurm-{job}_{number}.out").read_text() for number in (1, 2, 3)]
    assert all("its part is 4 of 12 retrainings" in output for output in outputs), outputs
    assert "12 retrainings, 12 of them new." in run(*program, "merge", "--run_dir=sharded")
    tables = [run(*evaluate, f"--run_dir={name}").splitlines()[:-1] for name in ("sharded", "straight")]
    assert tables[0] == tables[1]
