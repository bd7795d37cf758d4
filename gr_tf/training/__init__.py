"""Training loops that tell what each example changed."""
