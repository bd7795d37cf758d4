"""Tables and figures, beside the papers'."""
