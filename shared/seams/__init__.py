"""Where the parts meet: what a trainer asks of a renderer, and a prediction of a hand finder."""
