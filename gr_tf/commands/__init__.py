"""The program `gr_tf`: the only place in the package with flags."""
