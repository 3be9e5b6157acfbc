"""One module per public service: which files a data set needs, and how they read."""
