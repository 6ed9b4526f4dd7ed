"""Tables and arrays of one's own."""
