"""Figures that the papers print, to stand beside ours.

Lawrence et al. (2021): Table 1 (PD% and TC%) and Table 4 (test MRR and Hits, times 100).
"""

_KS = ("1", "10", "ALL")


def _rows(nh_pd: str, nh_tc: str, gr_pd: str, gr_tc: str) -> dict[str, dict[str, tuple[int, int]]]:
    """One dataset's column of Table 1, from the figures for 1, 10 and ALL in a row."""
    figures = {"NH": (nh_pd, nh_tc), "GR": (gr_pd, gr_tc)}
    return {
        method: {k: (int(pd), int(tc)) for k, pd, tc in zip(_KS, *(column.split() for column in columns), strict=True)}
        for method, columns in figures.items()
    }


# (dataset, model) -> method -> k -> (PD%, TC%)
TABLE_1: dict[tuple[str, str], dict[str, dict[str, tuple[int, int]]]] = {
    ("nations", "distmult"): _rows(nh_pd="54 66 82", nh_tc="18 36 70", gr_pd="93 97 100", gr_tc="38 83 97"),
    ("fb15k237", "distmult"): _rows(nh_pd="59 67 83", nh_tc="35 45 59", gr_pd="77 82 96", gr_tc="38 58 85"),
    ("movielens", "distmult"): _rows(nh_pd="53 52 92", nh_tc="3 14 72", gr_pd="68 82 100", gr_tc="20 38 100"),
    ("nations", "complex"): _rows(nh_pd="59 68 80", nh_tc="13 47 76", gr_pd="90 95 100", gr_tc="38 85 99"),
    ("fb15k237", "complex"): _rows(nh_pd="72 83 91", nh_tc="69 70 79", gr_pd="80 88 99", gr_tc="65 81 91"),
    ("movielens", "complex"): _rows(nh_pd="53 61 91", nh_tc="5 13 77", gr_pd="73 71 100", gr_tc="29 48 100"),
}

# (dataset, model) -> metric -> value
TABLE_4: dict[tuple[str, str], dict[str, float]] = {
    ("nations", "distmult"): {"mrr": 58.88, "hits_at_1": 38.31, "hits_at_10": 97.51},
    ("nations", "complex"): {"mrr": 60.41, "hits_at_1": 39.80, "hits_at_10": 97.01},
    ("fb15k237", "distmult"): {"mrr": 25.84, "hits_at_1": 19.16, "hits_at_10": 40.18},
    ("fb15k237", "complex"): {"mrr": 25.11, "hits_at_1": 18.15, "hits_at_10": 40.05},
    ("movielens", "distmult"): {"mrr": 61.81, "hits_at_1": 37.60},
    ("movielens", "complex"): {"mrr": 61.76, "hits_at_1": 37.51},
}
