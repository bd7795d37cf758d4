"""Figures that the papers print, to stand beside ours.

Lawrence et al. (2021): Table 1 (PD% and TC%) and Table 4 (test MRR and Hits, times 100).
"""

# (dataset, model) -> method -> k -> (PD%, TC%)
TABLE_1: dict[tuple[str, str], dict[str, dict[str, tuple[int, int]]]] = {
    ("nations", "distmult"): {
        "NH": {"1": (54, 18), "10": (66, 36), "ALL": (82, 70)},
        "GR": {"1": (93, 38), "10": (97, 83), "ALL": (100, 97)},
    },
}

# (dataset, model) -> metric -> value
TABLE_4: dict[tuple[str, str], dict[str, float]] = {
    ("nations", "distmult"): {"mrr": 58.88, "hits_at_1": 38.31, "hits_at_10": 97.51},
}
