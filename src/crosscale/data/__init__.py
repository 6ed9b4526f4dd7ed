"""From recordings to a store of clips."""
