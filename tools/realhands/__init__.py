"""Builds the real photographs of the experiments from a public clone and the labels that lie here.

The photographs are those of the Sign-Language-Digits-Dataset (Apache-2.0). The labels are ours, and were
fitted; nobody measured these hands. No command of this repository can make ``labels.npz`` again: the
code of the fit is not part of it. This is how it was made:

1. MediaPipe Hands 0.10.21 found 21 landmarks, in the image and in space, in 2,049 of 2,062 photographs that
   were enlarged to 224 pixels. Where landmarks touched the border, the photograph was padded first
   (`pictures.enlarge`).
2. Skin was told from the plain background by its colour (`pictures.skin_of`).
3. Adam fitted root rotation, joint angles within anatomical limits, and camera translation of every
   photograph, and one shape of every person, under an assumed focal length of 480 pixels: 300 steps to the
   landmarks, then 160 steps in which the outline of the skin pulls at the rim of the mesh.
4. 115 photographs were dropped: ``labels.npz`` keeps their names, and why.
5. The numbers were rounded to six decimals and packed. The fit posed an early build of the embedded hand,
   with its vertices, shapes and skin weights, but with joints that lie up to 0.04 mm elsewhere. Those joints
   are kept beside the labels (`hands.Skeleton`): meshes come out as they were fitted, not 0.02 mm off.
"""
