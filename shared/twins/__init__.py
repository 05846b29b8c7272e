"""What travels between trainer and render workers: predictions one way, shards of twins the other."""
