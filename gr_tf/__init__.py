"""Training-data attribution for embedding models in TensorFlow 2: which examples made it predict this, and is it true?

A first verified answer, on a DataFrame or a folder of your own:

    import gr_tf

    why = gr_tf.ask(train=frame)  # columns head, relation, tail; or user, item, rating; or gr_tf.ask("my/folder")
    print(why.quality)  # is the model any good?
    answer = why.answer(("china", "exports3", "?"), k=3)  # or "user,?", "user,item", "item,item,?"
    answer.frame, answer.plot(), answer.page("why.html")  # the examples for and against it
    why.answers([("china", "exports3", "?"), ("?", "exports3", "cuba")])  # many questions, with progress
    why.check(answer, seeds=3)  # trains again without them, and without random ones
    why.minimal(answer)  # the fewest that it needs, and the fewest that suffice

Names by purpose:

    ask, ask_given, open_run            -> Asker: answer(..., rather_than=), group_answer, check, minimal, quality
    top_answers, check_answers, transfer
                                        the best few answers, with reasons; do the reasons carry over to others?
    load_triples, load_ratings, load_sequences, load_choices
                                        -> data: files, DataFrames, or a public dataset by name
    TripleTask, RatingTask, SequenceTask, ChoiceTask, KerasTask
                                        data with a model: train, ask, value, quality
    train_in_memory, Trained            a training, and what it kept
    explainer, Ensemble, Explanation    any method by its name: rank, explain, self_influence
    Retraining, retrain, retraining_on  many trainings without some examples, on all cores, processes, Ray, or Dask
    Atlas, Scoring                      measured effects of every example; how near anybody's influences come to them

README.md has the commands; `gr_tf --help` lists them.
"""

import lazy_loader

from gr_tf.version import VERSION as __version__  # noqa: F401, N811

# The names are in __init__.pyi; each is imported when it is first used, because TensorFlow takes seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
