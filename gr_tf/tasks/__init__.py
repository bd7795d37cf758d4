"""Kinds of data: how each is asked, trained, valued and explained. Nothing above this layer knows the kinds."""
