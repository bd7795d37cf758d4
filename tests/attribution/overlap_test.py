"""The baseline that counts shared elements."""

import numpy as np
import pytest

from gr_tf.attribution.methods import explainer
from gr_tf.data.triples import Query, TripleSet
from gr_tf.tasks.trained import train_in_memory
from gr_tf.tasks.triples import TripleTask
from gr_tf.training.triple_config import TripleConfig


@pytest.mark.parametrize("seed", [0, 1])
def test_it_counts_what_is_shared_whatever_the_model(toy: TripleSet, seed: int) -> None:
    query = Query(*map(int, toy.train[0]))
    trained = train_in_memory(TripleTask(toy, TripleConfig(dim=4, num_negatives=4, epochs=1, seed=seed)))
    found = explainer(trained, "overlap").rank(query)
    np.testing.assert_array_equal(np.sort(found.example_ids), toy.related(query))
    for example_id, influence in zip(found.example_ids, found.influences, strict=True):
        head, relation, tail = toy.train[example_id].tolist()
        assert influence == (relation == query.relation) + len({query.head, query.tail} & {head, tail})
    # The query's own triple shares all there is; equals come by example id.
    assert found.example_ids[0] == np.flatnonzero((toy.train == toy.train[0]).all(axis=1))[0]
