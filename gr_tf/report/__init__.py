"""Makes tables and figures that stand beside the papers'."""
