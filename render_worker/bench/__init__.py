"""How fast hands are rendered, beside a peer in the same run."""
