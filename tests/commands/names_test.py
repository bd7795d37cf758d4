"""`gr_tf names`, and what is told of names before TensorFlow is loaded."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tests.commands.program import ROOT, gr_tf

SHOP = "--columns=user:customer,item:sku,title:product"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    generator = np.random.default_rng(0)
    rows = [
        (f"c{u}", f"p{i}", float(generator.integers(1, 6)), f"Product {i}")
        for u in range(12)
        for i in generator.permutation(14)[: 12 if u else 3]
    ]
    path = tmp_path_factory.mktemp("shop") / "shop.csv"
    pd.DataFrame(rows, columns=["customer", "sku", "stars", "product"]).to_csv(path, index=False)
    return path


def test_names_of_data(capsys: pytest.CaptureFixture[str], shop: pathlib.Path) -> None:
    asked = ("names", f"--data_dir={shop}", SHOP, "--min_interactions=4", "--search=PRODUCT 1")
    assert gr_tf(*asked, "--limit=2") == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0].split() == ["what", "name", "label", "training", "examples"]
    assert told.out.splitlines()[1].split()[:4] == ["item", "p1", "Product", "1"]
    assert "2 of 5 names; --limit=0 lists all." in told.err
    assert gr_tf(*asked, "--output=json", "--limit=0") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["found"] == len(found["names"]) == 5
    assert gr_tf(*asked, "--output=csv") == 0
    assert capsys.readouterr().out.startswith("what,name,label,training examples\nitem,p1,Product 1,")
    assert gr_tf("names", f"--data_dir={shop}", SHOP, "--min_interactions=4", "--search=nobody") == 0
    assert "No name and no label contains 'nobody'." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--epochs=3", "--epochs is for a training, and nothing is trained here."),
        ("--damping=1", "--damping is for a training, and nothing is trained here."),
        ("--overwrite", "--overwrite is for a training, and nothing is trained here."),
        ("--spreadsheet_safe", "--spreadsheet_safe is for --output=csv; got --output=text."),
        ("--columns=user:x", "has no column 'x', which --columns names for the user"),
    ],
)
def test_flags_that_names_does_not_take(
    capsys: pytest.CaptureFixture[str], shop: pathlib.Path, flag: str, message: str
) -> None:
    columns = [] if flag.startswith("--columns") else [SHOP]
    assert gr_tf("names", f"--data_dir={shop}", *columns, flag) == 1
    assert message in capsys.readouterr().err


def test_a_run_remembers_the_columns(
    capsys: pytest.CaptureFixture[str], shop: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    run = tmp_path / "run"
    made = ("train", f"--data_dir={shop}", SHOP, f"--run_dir={run}", "--min_interactions=4", "--epochs=2", "--dim=2")
    assert gr_tf(*made) == 0
    assert json.loads((run / "train" / "run.json").read_text())["settings"]["split"]["columns"] == SHOP[10:]
    capsys.readouterr()
    assert gr_tf("names", f"--run_dir={run}", "--search=product 13") == 0
    assert "p13" in capsys.readouterr().out
    for question, message in (
        ("c0,p1", "user 'c0' has 3 ratings; at least 4 are needed: --min_interactions."),
        ("c1,Produkt 3", "unknown item 'Produkt 3': not in the training data. Did you mean 'p3' ('Product 3')"),
    ):
        assert gr_tf("explain", f"--run_dir={run}", f"--query={question}") == 1
        assert message in capsys.readouterr().err
    assert gr_tf("explain", f"--run_dir={run}", "--query=c1,Product 3", "--output=json") == 0
    assert json.loads(capsys.readouterr().out)["predicted"] == "Product 3"

    # In a process of its own: what is wrong with a question is told before TensorFlow is loaded.
    code = (
        "import sys\nfrom gr_tf.commands import main\n"
        f"arguments = [{str(run)!r}, {str(shop)!r}]\n"
        "where = {'run': ['--run_dir=' + arguments[0]], 'data': ['--data_dir=' + arguments[1], sys.argv[1], "
        "'--min_interactions=4']}\n"
        "for flags in where.values():\n"
        "    try:\n        main.main(['explain', *flags, '--query=nobody,p1'])\n"
        "    except SystemExit as done:\n        assert done.code == 1\n"
        "assert 'tensorflow.python' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code, SHOP], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("unknown user 'nobody'") == 2


@pytest.mark.slow
def test_a_name_of_a_user_and_an_item_is_told(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    lines = [f"{user}\t" + "\t".join(str((user + i) % 9) for i in range(5)) for user in range(5, 12)]
    (tmp_path / "sequences.txt").write_text("\n".join(lines) + "\n")
    where = (f"--data_dir={tmp_path}", f"--run_dir={tmp_path / 'run'}", "--min_interactions=2", "--epochs=2")
    assert gr_tf("explain", *where, "--query=7,?", "--output=json") == 0
    told = json.loads(capsys.readouterr().out)["warnings"]
    assert "'7' is a user and an item: the user's history was taken" in told
    assert gr_tf("explain", *where, "--query=11,?", "--output=json") == 0
    assert not any("a user and an item" in one for one in json.loads(capsys.readouterr().out)["warnings"])
