"""The steps of an experiment, each from one folder to the next."""
