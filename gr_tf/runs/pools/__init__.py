"""Where retrainings are done, if not in threads of this process: worker processes here, or on other machines."""
