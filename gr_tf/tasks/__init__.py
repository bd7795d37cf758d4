"""Tasks: what differs between kinds of data. Nothing above this layer knows the kinds."""
