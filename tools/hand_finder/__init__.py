"""Makes the hand finder that `meshcycle predict` uses where it is given no boxes."""
