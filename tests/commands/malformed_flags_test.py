"""Flags that are wrong, of every command but explain, each with the line that tells it."""

import pathlib

import pytest

from tests.commands.malformed import CUT, LONG, refused

METHODS = (
    "--method must be one of gr, best, cosine, criage, dot, gr-o, influence, overlap, replay, rollback-all, tracin, nh "
    "for triples; got "
)

TABLE: list[tuple[str, str, list[str], str]] = [
    ("train", "graph", ["--dim=0"], "--dim must be from 1 to 16384; got 0."),
    ("train", "graph", ["--dim=99999999"], "--dim must be from 1 to 16384; got 99999999."),
    ("train", "graph", ["--dim=1.5"], "flag --dim=1.5: invalid literal for int() with base 10: '1.5'"),
    ("train", "graph", ["--dim="], "flag --dim=: invalid literal for int() with base 10: ''"),
    ("train", "graph", ["--dim=four"], "flag --dim=four: invalid literal for int() with base 10: 'four'"),
    ("train", "graph", ["--learning_rate=0"], "--learning_rate must be above 0 and at most 1; got 0.0."),
    ("train", "graph", ["--learning_rate=nan"], "--learning_rate must be above 0 and at most 1; got nan."),
    ("train", "graph", ["--learning_rate=inf"], "--learning_rate must be above 0 and at most 1; got inf."),
    ("train", "graph", ["--learning_rate=2"], "--learning_rate must be above 0 and at most 1; got 2.0."),
    ("train", "graph", ["--learning_rate=x"], "flag --learning_rate=x: could not convert string to float: 'x'"),
    ("train", "graph", ["--num_negatives=0"], "--num_negatives must be from 1 to 65536; got 0."),
    ("train", "graph", ["--epochs=0"], "--epochs must be from 1 to 1048576; got 0."),
    ("train", "graph", ["--epochs=-1"], "--epochs must be from 1 to 1048576; got -1."),
    ("train", "graph", ["--epochs=1e3"], "flag --epochs=1e3: invalid literal for int() with base 10: '1e3'"),
    ("train", "graph", ["--seed=-1"], "--seed must be from 0 to 4294967295; got -1."),
    ("train", "graph", ["--seed=4294967296"], "--seed must be from 0 to 4294967295; got 4294967296."),
    ("train", "graph", ["--seed=x"], "flag --seed=x: invalid literal for int() with base 10: 'x'"),
    ("train", "graph", ["--negatives_seed=-1"], "--negatives_seed must be from 0 to 4294967295; got -1."),
    (
        "train",
        "graph",
        ["--model=transx"],
        (
            "flag --model=transx: value should be one of "
            "<distmult|complex|transe|transe-l1|rotate|rotate-l2|simple|mf|ncf|lstm>"
        ),
    ),
    (
        "train",
        "graph",
        ["--model=mf"],
        (
            "--model must be one of distmult, complex, transe, transe-l1, rotate, rotate-l2, simple for triples; got "
            "'mf'."
        ),
    ),
    ("train", "graph", ["--loss=hinge"], "flag --loss=hinge: value should be one of <softmax|sigmoid>"),
    ("train", "graph", ["--optimizer=rmsprop"], "flag --optimizer=rmsprop: value should be one of <adam|sgd|adagrad>"),
    ("train", "graph", ["--dtype=float16"], "flag --dtype=float16: value should be one of <float64|float32>"),
    ("train", "graph", ["--batch_size=0"], "--batch_size must be from 1 to 1048576; got 0."),
    (
        "train",
        "graph",
        ["--reciprocal=maybe"],
        "flag --reciprocal=maybe: ('Non-boolean argument to boolean flag', 'maybe')",
    ),
    ("train", "graph", ["--valid_share=0"], "--valid_share must be above 0 and at most 0.5; got 0.0."),
    ("train", "graph", ["--valid_share=0.9"], "--valid_share must be above 0 and at most 0.5; got 0.9."),
    ("train", "graph", ["--test_share=nan"], "--test_share must be above 0 and at most 0.5; got nan."),
    ("train", "graph", ["--split_seed=-1"], "--split_seed must be from 0 to 2147483647; got -1."),
    ("train", "graph", ["--min_interactions=3"], "--min_interactions is not for triples."),
    ("train", "graph", ["--window=5"], "--window is not for triples."),
    ("train", "graph", ["--order=time"], "--order is not for triples."),
    ("train", "graph", ["--tune_minutes=-1"], "flag --tune_minutes=-1: -1.0 is not a non-negative number"),
    ("train", "graph", ["--tune_minutes=nan"], "--tune_minutes must be a number of minutes; got nan."),
    ("train", "graph", ["--tune_minutes=x"], "flag --tune_minutes=x: could not convert string to float: 'x'"),
    ("train", "graph", ["--checkpoint_seconds=-1"], "flag --checkpoint_seconds=-1: -1.0 is not a non-negative number"),
    ("train", "graph", ["--checkpoint_seconds=nan"], "flag --checkpoint_seconds=nan: must be a finite number."),
    ("train", "graph", ["--checkpoint_seconds=inf"], "flag --checkpoint_seconds=inf: must be a finite number."),
    (
        "train",
        "graph",
        ["--checkpoint_seconds=x"],
        "flag --checkpoint_seconds=x: could not convert string to float: 'x'",
    ),
    ("train", "graph", ["--kind=ratings"], "--kind must be triples for DATA/graph; got 'ratings'."),
    (
        "train",
        "graph",
        ["--kind=graphs"],
        "flag --kind=graphs: value should be one of <triples|ratings|sequences|choices>",
    ),
    ("train", "graph", ["--jobs=0"], "flag --jobs=0: 0 is not a positive integer"),
    ("train", "graph", ["--no_such=1"], "Unknown command line flag 'no_such'"),
    ("train", "graph", ["stray"], "unexpected argument 'stray'."),
    ("train", "graph", ["--damping=1"], "--damping is not for triples."),
    ("train", "graph", ["--solver=cg"], "--solver is not for triples."),
    ("train", "graph", ["--decay=trained"], "--decay is not for triples."),
    ("train", "graph", ["--nopenalty_in_gradient"], "--penalty_in_gradient is not for triples."),
    ("train", "graph", ["--retraining_steps=5"], "--retraining_steps is not for a command that does not train"),
    ("train", "graph", ["--training_steps=5"], "--training_steps is not for triples."),
    ("train", "graph", ["--weight_decay=1"], "--weight_decay is not for triples."),
    ("train", "graph", ["--" + LONG], "unknown flag " + CUT + "."),
    ("train", "graph", ["--dim=" + LONG], "flag --dim="),
    ("train", "graph", [LONG], "unexpected argument " + CUT + "."),
    ("train", "graph", ["--model=" + LONG], "flag --model="),
    (
        "train",
        "",
        ["--dataset=natoins"],
        (
            "unknown dataset 'natoins': want one of nations, fb15k237, movielens, wn18rr, or --data_dir with your "
            "own files."
        ),
    ),
    (
        "train",
        "",
        ["--dataset=" + LONG],
        "unknown dataset "
        + CUT
        + ": want one of nations, fb15k237, movielens, wn18rr, or --data_dir with your own files.",
    ),
    ("train", "", ["--data_dir=/no/such"], "/no/such: no such file or folder."),
    ("train", "", ["--data_dir=/" + LONG], "/"),
    ("train", "", ["--data_dir=/dev/null"], "/dev/null: has none of train.csv, train.tsv, train.txt, train.parquet."),
    ("train", "", ["--data_dir="], "--data_dir is empty: leave it out, or give it a value."),
    ("train", "", ["--dataset=yelp"], "yelp is not downloaded: name the folder that has its files with --data_dir."),
    ("train", "graph", ["--dataset=movielens-100k"], "DATA/graph: has no file named u.data; want one."),
    ("train", "ratings", ["--min_interactions=2", "--dim=0"], "--dim must be from 1 to 16384; got 0."),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--model=distmult"],
        "--model must be one of mf, ncf for ratings; got 'distmult'.",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--optimizer=adamw"],
        "flag --optimizer=adamw: value should be one of <adam|sgd|adagrad>",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--weight_decay=-1"],
        "--weight_decay must be a number of at least 0; got -1.0.",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--weight_decay=nan"],
        "--weight_decay must be a number of at least 0; got nan.",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--training_steps=0"],
        "--training_steps must be from 1 to 2147483648; got 0.",
    ),
    ("train", "ratings", ["--min_interactions=2", "--batch_size=0"], "--batch_size must be from 1 to 16777216; got 0."),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--batch_size=100000", "--training_steps=5"],
        "--batch_size must be at most the 92 training ratings; got 100000.",
    ),
    ("train", "ratings", ["--min_interactions=2", "--patience=0"], "--patience must be from 1 to 1048576; got 0."),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--patience=3", "--optimizer=adam"],
        "--patience is for optimizers sgd and adagrad; got 3 with adam.",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--epochs=3", "--optimizer=adam"],
        "--epochs is for optimizers sgd and adagrad; got 3 with adam.",
    ),
    ("train", "ratings", ["--min_interactions=2", "--num_negatives=3"], "--num_negatives is not for ratings."),
    ("train", "ratings", ["--min_interactions=2", "--valid_share=0.1"], "--valid_share is not for ratings."),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--initial_deviation=0"],
        "--initial_deviation must be above 0; got 0.0.",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--kind=triples"],
        "--kind must be ratings or sequences or choices for DATA/ratings; got 'triples'.",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--damping=0.1"],
        "--damping is a setting of `gr_tf explain --method=fia`.",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--seed=9999999999"],
        "--seed must be from 0 to 2147483647; got 9999999999.",
    ),
    (
        "train",
        "ratings",
        ["--min_interactions=2", "--split_seed=x"],
        "flag --split_seed=x: invalid literal for int() with base 10: 'x'",
    ),
    ("train", "sequences", ["--window=1"], "--window must be a number of at least 2; got 1."),
    ("train", "sequences", ["--order=random"], "flag --order=random: value should be one of <time|file|auto>"),
    ("train", "sequences", ["--test_share=1.5"], "--test_share must be from 0 to 1; got 1.5."),
    (
        "train",
        "sequences",
        ["--test_share=0.6", "--valid_share=0.5"],
        "--test_share and --valid_share must leave something to train on; got 0.6 and 0.5.",
    ),
    ("train", "sequences", ["--min_interactions=0"], "--min_interactions must be a number of at least 1; got 0."),
    (
        "train",
        "sequences",
        ["--min_interactions=1000"],
        (
            "DATA/sequences: no user has at least 1000 choices; a lower --min_interactions keeps more. 8 users "
            "with fewer than 1000 choices left out."
        ),
    ),
    ("train", "sequences", ["--kept_epochs=a"], "--kept_epochs must be whole numbers; got 'a'."),
    ("train", "sequences", ["--kept_epochs=1,x"], "--kept_epochs must be whole numbers; got '1,x'."),
    ("train", "sequences", ["--kept_epochs=0"], "--kept_epochs must be from 1 to 100; got 0."),
    ("train", "sequences", ["--kept_epochs=99999"], "--kept_epochs must be from 1 to 100; got 99999."),
    ("train", "sequences", ["--hidden=0"], "--hidden must be from 1 to 16384; got 0."),
    ("train", "sequences", ["--batch_size=0"], "--batch_size must be from 1 to 1048576; got 0."),
    (
        "train",
        "sequences",
        ["--order=time"],
        "DATA/sequences: has no times to put choices in order by; --order=file takes them as they come.",
    ),
    ("train", "sequences", ["--model=mf"], "--model must be one of lstm for sequences; got 'mf'."),
    (
        "train",
        "sequences",
        ["--kind=ratings"],
        "--kind must be sequences or choices for DATA/sequences; got 'ratings'.",
    ),
    ("evaluate", "graph", ["--ks=0"], "each of --ks must be a whole number from 1, or ALL; got '0'."),
    ("evaluate", "graph", ["--ks=x"], "each of --ks must be a whole number from 1, or ALL; got 'x'."),
    ("evaluate", "graph", ["--ks="], "want each of --ks once; got ''."),
    ("evaluate", "graph", ["--ks=1,1"], "want each of --ks once; got '1,1'."),
    ("evaluate", "graph", ["--ks=-1"], "each of --ks must be a whole number from 1, or ALL; got '-1'."),
    ("evaluate", "graph", ["--ks=1.5"], "each of --ks must be a whole number from 1, or ALL; got '1.5'."),
    ("evaluate", "graph", ["--ks=" + LONG], "each of --ks must be a whole number from 1, or ALL; got " + CUT + "."),
    ("evaluate", "graph", ["--methods="], "want each method once in --methods; got ''."),
    ("evaluate", "graph", ["--methods=magic"], METHODS + "'magic'."),
    ("evaluate", "graph", ["--methods=nh,fia"], METHODS + "'fia'."),
    ("evaluate", "graph", ["--methods=nh,nh"], "want each method once in --methods; got 'nh,nh'."),
    ("evaluate", "graph", ["--num_queries=-1"], "flag --num_queries=-1: -1 is not a non-negative integer"),
    ("evaluate", "graph", ["--num_queries=x"], "flag --num_queries=x: invalid literal for int() with base 10: 'x'"),
    ("evaluate", "graph", ["--query_seed=-1"], "flag --query_seed=-1: -1 is not a non-negative integer"),
    ("evaluate", "graph", ["--nh_seed=-1"], "flag --nh_seed=-1: -1 is not a non-negative integer"),
    ("evaluate", "graph", ["--right_if=always"], "flag --right_if=always: value should be one of <drawn|any>"),
    ("evaluate", "graph", ["--damping=1"], "--damping is not for triples."),
    ("evaluate", "graph", ["--jobs=0"], "flag --jobs=0: 0 is not a positive integer"),
    ("suspects", "graph", ["--by=magic"], "--by must be one of gr, tracin, harm, loss for triples; got 'magic'."),
    ("suspects", "graph", ["--by="], "--by is empty: leave it out, or give it a value."),
    ("suspects", "graph", ["--by=" + LONG], "--by must be one of gr, tracin, harm, loss for triples; got " + CUT + "."),
    ("suspects", "graph", ["--k=0"], "--k must be at least 1; got 0."),
    ("suspects", "graph", ["--k=x"], "flag --k=x: invalid literal for int() with base 10: 'x'"),
    ("suspects", "graph", ["--damping=1"], "--damping is not for triples."),
    (
        "suspects",
        "graph",
        ["--spreadsheet_safe=maybe"],
        "flag --spreadsheet_safe=maybe: ('Non-boolean argument to boolean flag', 'maybe')",
    ),
    (
        "suspects",
        "ratings",
        ["--by=gr-self"],
        "--by must be one of fia, tracin, harm, loss for ratings; got 'gr-self'.",
    ),
    ("export", "", [], "name the folder of a run with --run_dir."),
    (
        "export",
        "",
        ["--run_dir=/no/such"],
        "/no/such/train: has no finished training: name your data with --data_dir or --dataset.",
    ),
    ("export", "graph", [], "name the folder of a run with --run_dir."),
    ("export", "", ["stray"], "unexpected argument 'stray'."),
    ("export", "", ["--dim=3"], "name the folder of a run with --run_dir."),
    (
        "train",
        "",
        ["--run_dir=/no/such/run"],
        "/no/such/run/train: has no finished training: name your data with --data_dir or --dataset.",
    ),
    (
        "evaluate",
        "",
        ["--run_dir=/no/such/run"],
        "/no/such/run/train: has no finished training: name your data with --data_dir or --dataset.",
    ),
    (
        "suspects",
        "",
        ["--run_dir=/no/such/run"],
        "/no/such/run/train: has no finished training: name your data with --data_dir or --dataset.",
    ),
    (
        "evaluate",
        "graph",
        ["--engine=spark"],
        "flag --engine=spark: value should be one of <threads|processes|ray|dask>",
    ),
    ("evaluate", "graph", ["--address=auto"], "--address is of a cluster of ray or dask; got threads."),
    ("explain", "graph", ["--engine=processes", "--address="], "--address is empty: leave it out, or give it a value."),
    ("evaluate", "graph", ["--jobs=0"], "flag --jobs=0: 0 is not"),
    (
        "evaluate",
        "graph",
        ["--shard=4/3"],
        "--shard must be a number and how many shards there are, from 1/N to N/N, such as 3/64; got '4/3'.",
    ),
    (
        "evaluate",
        "graph",
        ["--shard=1/3", "--overwrite"],
        "--overwrite deletes what other shards did: give it without --shard, or name another --run_dir.",
    ),
    ("merge", "", ["--run_dir="], "--run_dir is empty: leave it out, or give it a value."),
    ("merge", "", ["--run_dir=/no/such/run"], "/no/such/run: no such folder."),
    ("merge", "", ["--run_dir=/proc/self/fdinfo"], "/proc/self/fdinfo: no shard has left a journal there."),
    (
        "explian",
        "",
        [],
        (
            "unknown command 'explian': want one of explain, train, evaluate, merge, suspects, names, export. "
            "Did you mean 'explain'?"
        ),
    ),
    ("", "", [], "unknown command '': want one of explain, train, evaluate, merge, suspects, names, export."),
    (
        LONG,
        "",
        [],
        "unknown command " + CUT + ": want one of explain, train, evaluate, merge, suspects, names, export.",
    ),
    (
        "--dim=3",
        "",
        [],
        "unknown command '--dim=3': want one of explain, train, evaluate, merge, suspects, names, export.",
    ),
]


@pytest.mark.parametrize(("command", "data", "arguments", "message"), TABLE)
def test_malformed_flags(
    capsys: pytest.CaptureFixture[str],
    malformed_data: pathlib.Path,
    tmp_path: pathlib.Path,
    command: str,
    data: str,
    arguments: list[str],
    message: str,
) -> None:
    refused(capsys, malformed_data, tmp_path / "run", command, data, arguments, message)
