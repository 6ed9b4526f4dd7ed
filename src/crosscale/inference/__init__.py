"""Using trained encoders on one's own recordings: embed, classify, search, segment, live."""
