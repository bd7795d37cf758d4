"""Questions and flags of `gr_tf explain` that are wrong, each with the line that tells it."""

import pathlib

import pytest

from tests.commands.malformed import CUT, LONG, refused

A_QUESTION = (
    "a question is head,relation,tail (one of the three may be ?), with quotes around a part that has a comma; got "
)
OF_SEQUENCES = (
    "a question is user, or the items of a history,item or ?, with quotes around a part that has a comma; got "
)
METHODS = (
    "--method must be one of gr, best, cosine, criage, dot, gr-o, influence, overlap, replay, rollback-all, tracin, nh "
    "for triples; got "
)

TABLE: list[tuple[str, list[str], str]] = [
    ("graph", [], "ask a question with --query=head,relation,tail (one of the three may be ?)."),
    ("graph", ["--query="], "--query is empty: leave it out, or give it a value."),
    ("graph", ["--query=e1"], A_QUESTION + "'e1'."),
    ("graph", ["--query=e1,r1"], A_QUESTION + "'e1,r1'."),
    ("graph", ["--query=e1,r1,?,x"], A_QUESTION + "'e1,r1,?,x'."),
    ("graph", ["--query=,r1,?"], A_QUESTION + "',r1,?'."),
    ("graph", ["--query=e1, ,?"], A_QUESTION + "'e1,,?'."),
    ("graph", ['--query="e1,r1,?'], A_QUESTION + "'\"e1,r1,?'."),
    ("graph", ['--query=e1,"r1"x,?'], A_QUESTION + "'e1,\"r1\"x,?'."),
    ("graph", ["--query=e99,r1,?"], "unknown entity 'e99': not in the training data."),
    ("graph", ["--query=e1,r99,?"], "unknown relation 'r99': not in the training data."),
    ("graph", ["--query=e1,r1,e99"], "unknown entity 'e99': not in the training data."),
    ("graph", ["--query=?,r1,?"], "one of head, relation, and tail can be asked for, not several; got '?,r1,?'."),
    ("graph", ["--query=?,?,?"], "one of head, relation, and tail can be asked for, not several; got '?,?,?'."),
    ("graph", ["--query=\\?,r1,e1"], "unknown entity '?': not in the training data."),
    ("graph", ["--query=E1,r1,?"], "unknown entity 'E1': not in the training data."),
    ("graph", ["--query= e1,r 1,?"], "unknown relation 'r 1': not in the training data. Did you mean 'r1'?"),
    ("graph", ["--query=e1\nr1,?"], A_QUESTION + "'e1\\nr1,?'."),
    ("graph", ["--query=" + LONG], A_QUESTION + "" + CUT + "."),
    ("graph", ["--query=" + LONG + ",r1,?"], "unknown entity " + CUT + ": not in the training data."),
    (
        "graph",
        ["--query=" + "a," * 4999 + "a"],
        A_QUESTION + "'a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a... (10,001 characters).",
    ),
    ("graph", ["--query=e1,r1,?", "--method="], "--method is empty: leave it out, or give it a value."),
    ("graph", ["--query=e1,r1,?", "--method=fia"], METHODS + "'fia'."),
    ("graph", ["--query=e1,r1,?", "--method=magic"], METHODS + "'magic'."),
    ("graph", ["--query=e1,r1,?", "--method=" + LONG], METHODS + "" + CUT + "."),
    ("graph", ["--query=e1,r1,?", "--k=0"], "--k must be at least 1; got 0."),
    ("graph", ["--query=e1,r1,?", "--k=-1"], "--k must be at least 1; got -1."),
    ("graph", ["--query=e1,r1,?", "--k=1.5"], "flag --k=1.5: invalid literal for int() with base 10: '1.5'"),
    ("graph", ["--query=e1,r1,?", "--k=many"], "flag --k=many: invalid literal for int() with base 10: 'many'"),
    ("graph", ["--query=e1,r1,?", "--trainings=0"], "flag --trainings=0: 0 is not a positive integer"),
    ("graph", ["--query=e1,r1,?", "--trainings=x"], "flag --trainings=x: invalid literal for int() with base 10: 'x'"),
    ("graph", ["--query=e1,r1,?", "--output=xml"], "flag --output=xml: value should be one of <text|json|csv>"),
    (
        "graph",
        ["--query=e1,r1,?", "--output=csv", "--verify"],
        "--output=csv has no place for what --verify, --minimal, and --transfer find: ask for text, json or --report.",
    ),
    (
        "graph",
        ["--query=e1,r1,?", "--output=csv", "--minimal"],
        "--output=csv has no place for what --verify, --minimal, and --transfer find: ask for text, json or --report.",
    ),
    ("graph", ["--query=e1,r1,?", "--spreadsheet_safe"], "--spreadsheet_safe is for --output=csv; got --output=text."),
    (
        "graph",
        ["--query=e1,r1,?", "--spreadsheet_safe", "--output=json"],
        "--spreadsheet_safe is for --output=csv; got --output=json.",
    ),
    ("graph", ["--query=e1,r1,?", "--verify_seeds=0"], "flag --verify_seeds=0: 0 is not a positive integer"),
    (
        "graph",
        ["--query=e1,r1,?", "--verify=maybe"],
        "flag --verify=maybe: ('Non-boolean argument to boolean flag', 'maybe')",
    ),
    ("graph", ["--query=e1,r1,?", "--most_retrainings=0"], "flag --most_retrainings=0: 0 is not a positive integer"),
    ("graph", ["--query=e1,r1,?", "--jobs=0"], "flag --jobs=0: 0 is not a positive integer"),
    ("graph", ["--query=e1,r1,?", "--retraining_steps=0"], "flag --retraining_steps=0: 0 is not a positive integer"),
    ("graph", ["--query=e1,r1,?", "--retraining_steps=3"], "--retraining_steps is not for triples."),
    ("graph", ["--query=e1,r1,?", "--damping=1"], "--damping is not for triples."),
    ("graph", ["--query=e1,r1,?", "--method=tracin", "--damping=0.1"], "--damping is not for triples."),
    (
        "graph",
        ["--query=e1,r1,?", "--method=gr", "--influence_block=query"],
        "--influence_block is a setting of `gr_tf explain --method=influence`, not of gr.",
    ),
    (
        "graph",
        ["--query=e1,r1,?", "--method=influence", "--influence_damping=-1"],
        "--influence_damping must be a number of at least 0; got -1.0.",
    ),
    (
        "graph",
        ["--query=e1,r1,?", "--method=influence", "--cg_tolerance=0.1"],
        (
            "--cg_tolerance is of conjugate gradients, and the Hessian of this graph is small enough to be made: leave "
            "it out, or use --curvature=gauss_newton."
        ),
    ),
    (
        "graph",
        ["--query=e1,r1,?", "--method=influence", "--curvature=gauss_newton", "--optimizer=adam", "--batch_size=1"],
        (
            "--curvature=gauss_newton needs a training in batches (--batch_size above 1, or --optimizer=adagrad): use "
            "--curvature=hessian."
        ),
    ),
    ("graph", ["--query=e1,r1,?", "--convention=pykeen"], "--convention is for --model_dir."),
    ("graph", ["--query=e1,r1,?", "--model_loss=mse"], "--model_loss is for --model_dir."),
    ("graph", ["--query=e1,r1,?", "--report=/dev"], "/dev: is no regular file, and is not replaced."),
    ("graph", ["--query=e1,r1,?", "--kind=sequences"], "--kind must be triples for DATA/graph; got 'sequences'."),
    (
        "graph",
        ["--query=e1,r1,?", "--overwrite=maybe"],
        "flag --overwrite=maybe: ('Non-boolean argument to boolean flag', 'maybe')",
    ),
    ("graph", ["--query=e1,r1,?", "--tune_minutes=-2"], "flag --tune_minutes=-2: -2.0 is not a non-negative number"),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1"],
        "a question is user,item or ?, with quotes around a part that has a comma; got 'u1'.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1,i2"],
        "a question is user,item or ?, with quotes around a part that has a comma; got 'u1,i1,i2'.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u99,i1"],
        "unknown user 'u99': not in the training data. Did you mean 'u9'?",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i99"],
        "unknown item 'i99': not in the training data. Did you mean 'i9'?",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=?,?"],
        "only the item can be asked for: user,item or user,?; got '?,?'.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=?,i1"],
        "only the item can be asked for: user,item or user,?; got '?,i1'.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u99,?"],
        "unknown user 'u99': not in the training data. Did you mean 'u9'?",
    ),
    ("ratings", ["--min_interactions=2", "--query=\\?,i1"], "unknown user '?': not in the training data."),
    ("ratings", ["--min_interactions=2", "--query=u1,\\?"], "unknown item '?': not in the training data."),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--method=criage"],
        "--method must be one of fia, cosine, dot, gr, ia, replay, tracin, nh for ratings; got 'criage'.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--damping=-1"],
        "--damping must be a number of at least 0; got -1.0.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--damping=nan"],
        "--damping must be a number of at least 0; got nan.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--solver=lu"],
        "flag --solver=lu: value should be one of <direct|cg|newton_cg>",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--decay=none"],
        "flag --decay=none: value should be one of <published|trained>",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--minimal"],
        "minimal sets are of predictions among several answers; the rating of an item has no other to change to: ask "
        "with ? in the item's place.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--method=tracin", "--damping=1"],
        "--damping is a setting of `gr_tf explain --method=fia`, not of tracin.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--method=nh", "--solver=cg"],
        "--solver is a setting of `gr_tf explain --method=fia`, not of nh.",
    ),
    (
        "ratings",
        ["--min_interactions=2", "--query=u1,i1", "--method=gr", "--retraining_steps=0"],
        "flag --retraining_steps=0: 0 is not a positive integer",
    ),
    ("sequences", ["--query=u1"], OF_SEQUENCES + "'u1'."),
    ("sequences", ["--query=nobody,?"], "unknown user 'nobody': not in the training data."),
    ("sequences", ["--query=u1,nothing"], "unknown item 'nothing': not in the training data."),
    ("sequences", ["--query=i1,nothing,?"], "unknown item 'nothing': not in the training data."),
    ("sequences", ["--query=?,i1"], "only the last part can be asked for, the next item; got '?,i1'."),
    ("sequences", ["--query=?,?"], "only the last part can be asked for, the next item; got '?,?'."),
    ("sequences", ["--query=i1,?,i2"], "only the last part can be asked for, the next item; got 'i1,?,i2'."),
    ("sequences", ["--query=,?"], OF_SEQUENCES + "''."),
    (
        "sequences",
        ["--query=u1,?", "--method=fia"],
        "--method must be one of tracin, cosine, dot, overlap, replay, nh for sequences; got 'fia'.",
    ),
    ("sequences", ["--query=u1,?", "--retraining_steps=3"], "--retraining_steps is not for sequences."),
    ("sequences", ["--query=" + "i1," * 200 + "?"], "a history has at most 12 items; got 200: leave out the oldest."),
    (
        "graph",
        ["--query=e1,r1,e2", "--top=3"],
        "the best answers are of a question with ? for its answer; got 'e1,r1,e2'.",
    ),
    ("graph", ["--query=e1,r1,?", "--top=0"], "flag --top=0: 0 is not a positive integer"),
    (
        "graph",
        ["--query=e1,r1,?", "--top=2", "--minimal"],
        "--minimal is of the best answer only: leave out --top.",
    ),
    (
        "graph",
        ["--query=e1,r1,?", "--top=2", "--swap"],
        "--swap is of users' own examples; triples have none.",
    ),
    (
        "choices",
        ["--query=u1,?", "--swap"],
        "--swap is of the best item and a runner-up: ask for both with --top=2, or more.",
    ),
    (
        "choices",
        ["--query=u1,?", "--swap", "--top=1"],
        "--swap is of the best item and a runner-up: ask for both with --top=2; got 1.",
    ),
    ("choices", ["--query=u1"], "a question is user,item or ?, with quotes around a part that has a comma; got 'u1'."),
    ("choices", ["--query=?,i1"], "only the item can be asked for: user,item or user,?; got '?,i1'."),
    ("choices", ["--query=u1,i99"], "unknown item 'i99': not in the training data."),
    ("choices", ["--query=u1,?", "--min_rating=4"], "DATA/choices: has no ratings, of which --min_rating could take"),
    ("choices", ["--query=u1,?", "--min_rating=many"], "flag --min_rating=many: could not convert string to float"),
    ("choices", ["--query=u1,?", "--reciprocal"], "reciprocal relations are for predicting users; of choices only"),
    (
        "choices",
        ["--query=u1,?", "--method=rollback-all"],
        "--method must be one of gr, cosine, criage, dot, gr-o, influence,",
    ),
    ("choices", ["--query=u1,?", "--kind=ratings"], "--kind must be choices for DATA/choices; got 'ratings'."),
    ("choices", ["--query=u1,?", "--window=3"], "--window is not for choices."),
    (
        "choices",
        ["--query=u1,?", "--model_dir=/no/such"],
        "a model that was trained elsewhere can be of triples, ratings, sequences; not of choices.",
    ),
    ("ratings", ["--query=u1,?", "--min_rating=4"], "--min_rating is not for ratings."),
    (
        "",
        ["--run_dir=/no/such/run"],
        "/no/such/run/train: has no finished training: name your data with --data_dir or --dataset.",
    ),
    (
        "",
        ["--run_dir=/no/such/run", "--query=a,b,?", "--dim=3"],
        "/no/such/run/train: has no finished training: name your data with --data_dir or --dataset.",
    ),
    (
        "",
        ["--model_dir=/no/such", "--query=a,b,?"],
        "name the data that the model was trained on, with --data_dir or --dataset.",
    ),
    ("graph", ["--kind=triples", "--model_dir=/no/such", "--query=e1,r1,?"], "/no/such: does not exist."),
    (
        "graph",
        ["--kind=triples", "--model_dir=/no/such", "--query=e1,r1,?", "--minimal"],
        "--minimal needs trainings without examples; the training of a given model is not known.",
    ),
    (
        "graph",
        ["--kind=triples", "--model_dir=/no/such", "--query=e1,r1,?", "--trainings=2"],
        "--trainings needs others like the model; the training of a given model is not known.",
    ),
    (
        "graph",
        ["--kind=triples", "--model_dir=/no/such", "--query=e1,r1,?", "--model=complex", "--convention=pykeen"],
        "/no/such: does not exist.",
    ),
    (
        "graph",
        [
            "--kind=triples",
            "--model_dir=/no/such",
            "--query=e1,r1,?",
            "--method=gr",
            "--model=complex",
            "--convention=pykeen",
        ],
        "method 'gr' needs a training by gr_tf; the training of a given model is not known: use --method=tracin.",
    ),
]


@pytest.mark.parametrize(("data", "arguments", "message"), TABLE)
def test_malformed_questions(
    capsys: pytest.CaptureFixture[str],
    malformed_data: pathlib.Path,
    tmp_path: pathlib.Path,
    data: str,
    arguments: list[str],
    message: str,
) -> None:
    refused(capsys, malformed_data, tmp_path / "run", "explain", data, arguments, message)
