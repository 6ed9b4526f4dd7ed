"""A local web app and its JSON API: recordings in, nearest clips and actions out."""
