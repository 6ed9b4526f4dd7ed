"""Trained encoders: one way from clips to features, files, names, export."""
