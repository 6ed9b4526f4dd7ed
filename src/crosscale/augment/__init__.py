"""Random views of a clip: shear, crop, and cutting of skeleton edges."""
