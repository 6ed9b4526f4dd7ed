"""A clip's name that a path or a page may stumble over."""

ODD = "wave/of <b>Ann</b>?"
