"""The numbers that the papers print, which our tables show beside our own.

Lawrence et al. (2021): Tables 1 and 2 (PD% and TC%), Table 3 (counts), Table 4 (test MRR and Hits, times 100),
Table 5 (minutes), Figure 2.
"""

from collections.abc import Mapping, Sequence

# method -> k -> (PD%, TC%); None where the printed number cannot be read.
Figures = Mapping[str, Mapping[str, tuple[int | None, int | None]]]

_KS = ("1", "10", "ALL")


def _rows(nh_pd: str, nh_tc: str, gr_pd: str, gr_tc: str) -> dict[str, dict[str, tuple[int, int]]]:
    """One dataset's column of Table 1; each argument has the numbers for 1, 10 and ALL."""
    figures = {"NH": (nh_pd, nh_tc), "GR": (gr_pd, gr_tc)}
    return {
        method: {k: (int(pd), int(tc)) for k, pd, tc in zip(_KS, *(column.split() for column in columns), strict=True)}
        for method, columns in figures.items()
    }


# Keys are a dataset and a model; it was trained with the loss of LOSSES.
TABLE_1: dict[tuple[str, str], Figures] = {
    ("nations", "distmult"): _rows(nh_pd="54 66 82", nh_tc="18 36 70", gr_pd="93 97 100", gr_tc="38 83 97"),
    ("fb15k237", "distmult"): _rows(nh_pd="59 67 83", nh_tc="35 45 59", gr_pd="77 82 96", gr_tc="38 58 85"),
    ("movielens", "distmult"): _rows(nh_pd="53 52 92", nh_tc="3 14 72", gr_pd="68 82 100", gr_tc="20 38 100"),
    ("nations", "complex"): _rows(nh_pd="59 68 80", nh_tc="13 47 76", gr_pd="90 95 100", gr_tc="38 85 99"),
    ("fb15k237", "complex"): _rows(nh_pd="72 83 91", nh_tc="69 70 79", gr_pd="80 88 99", gr_tc="65 81 91"),
    ("movielens", "complex"): _rows(nh_pd="53 61 91", nh_tc="5 13 77", gr_pd="73 71 100", gr_tc="29 48 100"),
}

LOSSES = {"nations": "softmax", "fb15k237": "softmax", "movielens": "sigmoid"}

# The table is for DistMult, trained with the sigmoid loss on Nations.
TABLE_2: Figures = {
    "NH": {"1": (49, 3), "3": (50, 13), "5": (51, 14), "10": (60, 20)},
    "CRIAGE": {"1": (91, 16), "3": (93, 36), "5": (94, 48), "10": (95, 68)},
    "GR-O": {"1": (92, 25), "3": (94, 48), "5": (97, 62), "10": (97, 68)},
    "GR": {"1": (92, 27), "3": (None, 51), "5": (97, 66), "10": (98, 73)},
}


def removal_figures(dataset: str | None, model: str, loss: str) -> Figures:
    """The paper's numbers for removing and retraining; empty if it has none.

    Args:
        dataset: from sources.published_name.
        model: a key of MODELS.
        loss: a key of LOSSES.
    """
    if (dataset, model, loss) == ("nations", "distmult", "sigmoid"):
        return TABLE_2
    if dataset is not None and LOSSES[dataset] == loss:
        return TABLE_1.get((dataset, model), {})
    return {}


# The counts are as printed; MovieLens' 949 entities are one more than its files have.
TABLE_3: dict[str, dict[str, str]] = {
    "nations": {"train": "1592", "valid": "199", "test": "201", "entities": "14", "relations": "55"},
    "fb15k237": {"train": "272k", "valid": "17.5k", "test": "20.5k", "entities": "14k", "relations": "237"},
    "movielens": {"train": "90k", "valid": "5k", "test": "4.4k", "entities": "949", "relations": "1.7k"},
}

# Keys are a dataset and a model, as in TABLE_1; metric -> value.
TABLE_4: dict[tuple[str, str], dict[str, float]] = {
    ("nations", "distmult"): {"mrr": 58.88, "hits_at_1": 38.31, "hits_at_10": 97.51},
    ("nations", "complex"): {"mrr": 60.41, "hits_at_1": 39.80, "hits_at_10": 97.01},
    ("fb15k237", "distmult"): {"mrr": 25.84, "hits_at_1": 19.16, "hits_at_10": 40.18},
    ("fb15k237", "complex"): {"mrr": 25.11, "hits_at_1": 18.15, "hits_at_10": 40.05},
    ("movielens", "distmult"): {"mrr": 61.81, "hits_at_1": 37.60},
    ("movielens", "complex"): {"mrr": 61.76, "hits_at_1": 37.51},
}

# Minutes of training, and of explaining one prediction, of DistMult on a GTX 1080 Ti; Nations ran on a CPU.
TABLE_5: dict[str, dict[str, float]] = {
    "nations": {"training": 1, "explaining_mean": 0.07, "explaining_sd": 0.02},
    "fb15k237": {"training": 17, "explaining_mean": 6, "explaining_sd": 7},
    "movielens": {"training": 7, "explaining_mean": 12, "explaining_sd": 4},
}

# "Qualitative Examples": questions of FB15k-237 with their answer, and the triple that Gradient Rollback ranked first.
_CURRENCY = "/location/statistical_region/rent50_2./measurement_unit/dated_money_value/currency"
_INDUSTRY = "/business/business_operation/industry"
_RELEASED = "/film/film/release_date_s./film/film_regional_release_date/film_release_region"
EXAMPLES: tuple[tuple[tuple[str, str, str], tuple[str, str, str]], ...] = (
    # Lycoming County, United States dollar; Delaware County.
    (("/m/0mwk9", _CURRENCY, "/m/09nqf"), ("/m/0f4y_", _CURRENCY, "/m/09nqf")),
    # Bandai, video game; Midway Games.
    (("/m/01qszl", _INDUSTRY, "/m/01mw1"), ("/m/027lf1", _INDUSTRY, "/m/01mw1")),
    # Inception, Denmark; the film Bird.
    (("/m/0661ql3", _RELEASED, "/m/0k6nt"), ("/m/077q8x", _RELEASED, "/m/0k6nt")),
)

# For DistMult on Nations: constraint -> Lipschitz constant, TC% of GR-1.
FIGURE_2 = {"unit_norm": (0.67, 18), "none": (6.93, 38)}
FIGURE_2_TRAINED = ("nations", "distmult", "softmax")


def ranking_figures(dataset: str | None, model: str, loss: str) -> Mapping[str, float]:
    """The paper's numbers of the test ranking; empty if it has none. The arguments are those of `removal_figures`."""
    return TABLE_4.get((dataset, model), {}) if dataset is not None and LOSSES[dataset] == loss else {}


# Cheng et al. (2019), Section 5.2: Pearson's r of computed and observed influences, by dataset and model. Ours of
# MovieLens-1M is split otherwise than theirs, which has the name that the data's folder has in our commands.
FIA_RQ1 = {
    **dict.fromkeys((("movielens-1m", "mf"), ("fia-ml-1m", "mf")), 0.98),
    **dict.fromkeys((("movielens-1m", "ncf"), ("fia-ml-1m", "ncf")), 0.84),
    ("yelp", "mf"): 0.99,
    ("yelp", "ncf"): 0.92,
}


def _rq2(fia: Sequence[float], ia: Sequence[float]) -> list[dict[str, float]]:
    return [
        {"dim": dim, "fia": fast, "ia": full}
        for dim, fast, full in zip((8, 16, 32, 64, 128, 256), fia, ia, strict=True)
    ]


# Cheng et al. (2019), Section 5.3: seconds for one test point on two Tesla K80, by dataset and model.
FIA_RQ2 = {
    ("yelp", "mf"): _rq2((0.78, 0.75, 0.80, 0.77, 0.95, 0.93), (460, 500, 743, 927, 1705, 2242)),
    ("movielens-1m", "mf"): _rq2((0.96, 1.21, 1.59, 1.26, 1.24, 1.22), (291, 292, 456, 371, 167, 274)),
    ("yelp", "ncf"): _rq2((1.17, 1.01, 0.97, 0.77, 1.09, 1.38), (653, 705, 1010, 1350, 1633, 2419)),
    ("movielens-1m", "ncf"): _rq2((0.89, 1.47, 4.01, 4.35, 4.75, 2.41), (405, 500, 601, 587, 655, 712)),
}


# Kim, "Recommender System Attribution with TracIn": the top two proponents and opponents of test movies.
TRACIN_TABLE1: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "Return of the Jedi (1983)": (
        ("Star Wars (1977)", "Toy Story (1995)"),
        ("Pretty Woman (1990)", "Mrs. Doubtfire (1993)"),
    ),
    "Star Trek III: The Search for Spock (1984)": (
        ("Star Trek VI: The Undiscovered Country (1991)", "Speed (1994)"),
        ("Sense and Sensibility (1995)", "Amadeus (1984)"),
    ),
    "L.A. Confidential (1997)": (
        ("English Patient, The (1996)", "Contact (1997)"),
        ("Twister (1996)", "Die Hard 2 (1990)"),
    ),
    "Citizen Kane (1941)": (
        ("Amadeus (1984)", "Casablanca (1942)"),
        ("Batman Returns (1992)", "Batman Forever (1995)"),
    ),
    "Top Gun (1986)": (
        ("Jurassic Park (1993)", "Speed (1994)"),
        ("English Patient, The (1996)", "Sense and Sensibility (1995)"),
    ),
    "Jaws (1975)": (("Alien (1979)", "Schindler's List (1993)"), ("Liar Liar (1997)", "Boogie Nights (1997)")),
    "G.I. Jane (1997)": (("Air Force One (1997)", "Contact (1997)"), ("Fargo (1996)", "Return of the Jedi (1983)")),
}
# The same page's MRR and Recall@10 on test: as trained, and without 500 opponents.
TRACIN_REMOVAL = {
    "whole": {"mrr": 0.0238, "recall_at_10": 0.0452},
    "opponents": {"mrr": 0.0264, "recall_at_10": 0.0514},
}
# RMSE over five random folds, from the README of Surprise (Hug 2020): biases only, SVD, and SVD++ with its defaults.
SURPRISE: dict[str, dict[str, float]] = {
    "movielens-100k": {"baseline": 0.944, "SVD": 0.934, "SVD++": 0.919},
    "movielens-1m": {"baseline": 0.909, "SVD": 0.873, "SVD++": 0.862},
}
# Kelpie (Rossi et al. 2022): changes of Hits@1 and of MRR of its 100 facts of ComplEx, means over the authors' files,
# by one retraining that draws anew. By experiment, dataset, and method: the facts of an explanation, Hits@1, MRR.
KELPIE: dict[tuple[str, str], dict[str, tuple[float, float, float]]] = {
    ("necessary", "fb15k237"): {
        "Kelpie": (3.83, -0.590, -0.413),
        "Kelpie, one fact": (1, -0.440, -0.244),
        "data poisoning": (1, -0.340, -0.185),
        "CRIAGE": (1, -0.090, -0.050),
    },
    ("sufficient", "fb15k237"): {
        "Kelpie": (3.83, 0.377, 0.490),
        "Kelpie, one fact": (1, 0.308, 0.408),
        "data poisoning": (1, 0.245, 0.334),
        "CRIAGE": (1, 0.035, 0.038),
    },
    ("necessary", "wn18rr"): {
        "Kelpie": (3.16, -0.980, -0.913),
        "Kelpie, one fact": (1, -0.700, -0.538),
        "data poisoning": (1, -0.750, -0.650),
        "CRIAGE": (1, -0.180, -0.150),
    },
    ("sufficient", "wn18rr"): {
        "Kelpie": (3.16, 0.834, 0.877),
        "Kelpie, one fact": (1, 0.834, 0.877),
        "data poisoning": (1, 0.836, 0.878),
        "CRIAGE": (1, 0.110, 0.147),
    },
}
