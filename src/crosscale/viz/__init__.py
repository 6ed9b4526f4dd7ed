"""Looking at clips, at maps of embeddings and at layouts: pages that need no network, and films."""
