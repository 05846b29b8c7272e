"""What the lmdb library does not offer: keys without values, and whether a file was cut."""
