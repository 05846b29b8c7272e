"""A page to look at the hands of a folder of photographs in any browser."""
