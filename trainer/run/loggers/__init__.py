"""Where the numbers and pictures of a run go besides metrics.jsonl: loggers of Lightning Fabric."""
