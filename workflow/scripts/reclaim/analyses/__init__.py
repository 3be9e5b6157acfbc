"""One module per kind of test: canonical data in, estimates and full results out."""
