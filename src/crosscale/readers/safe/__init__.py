"""Reading files of strangers without running or trusting what is in them."""
