"""The graph network that turns a clip into a vector."""
