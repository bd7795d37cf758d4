"""Is an explanation true: retraining without what it names."""
