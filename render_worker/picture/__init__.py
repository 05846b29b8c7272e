"""What a picture consists of and how its layers join, in NumPy alone."""
