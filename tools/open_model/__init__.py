"""Pack the weights of a run as the open model, and score a network on photographs that nobody labelled in 3D.

    python -m tools.open_model pack runs/open_model
    python -m tools.open_model score ASSETS --sheets sheets
    python -m tools.open_model steadiness FILM

`docs/model.md` says what ASSETS must hold.
"""
