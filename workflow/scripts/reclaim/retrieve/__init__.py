"""Bytes: where they lie, how they are fetched, what identifies them, and who claimed what before."""
