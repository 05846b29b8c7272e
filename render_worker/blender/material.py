"""The hand's material: matt, and lit without a lamp in the scene."""

from typing import Any, Final

import bpy
import numpy as np

from render_worker.picture.camera import to_blender
from render_worker.picture.request import RenderRequest

LIT: Final = "lit"
"""Attribute of the mesh: scene-linear light that comes from the lamp where it shines straight down."""
GLOW: Final = "glow"
"""Attribute of the mesh: scene-linear light that does not come from the lamp."""
MARKED: Final = "marked"
"""Attribute of the mesh, and name of the pass that shows it: what belongs to the silhouette."""
_ABOVE_M: Final = 0.0015


class SkinMaterial:
    """A matt material that glows with the light it receives.

    Radiance is albedo * key * cosine * (is the lamp visible) + glow, with albedo and glow known per vertex
    and one ray towards the lamp. Compared with a diffuse surface under a Blender lamp of equal size, this is
    the same picture for half the time and a quarter of the noise: no ray is spent on directions from which
    no light comes.

    Args:
        hand: Object that gets the material.
    """

    def __init__(self, hand: Any) -> None:
        self._hand = hand
        material = bpy.data.materials.new("skin")
        hand.data.materials.append(material)
        self._tree = material.node_tree
        self._tree.nodes.clear()
        surface = self._node("NewGeometry")
        position, normal = surface.outputs["Position"], surface.outputs["Normal"]
        lamp = self._node("ObjectInfo").outputs
        towards = self._vector("MULTIPLY_ADD", lamp["Color"], (2.0,) * 3, (-1.0,) * 3)
        spread = lamp["Alpha"]

        # The faces are flat but their normals are smooth: just above them, no face hides the lamp too early.
        above = self._vector("MULTIPLY_ADD", normal, (_ABOVE_M,) * 3, position)
        # A large lamp is many small ones. Which of them a sample sees follows from its position in the pixel:
        # Cycles spreads these positions evenly, so every pixel sees the whole lamp, evenly.
        self._pixels = self._vector_node(
            "MULTIPLY", self._node("TexCoord").outputs["Window"], (0.0, 0.0, 0.0)
        )
        position_in_pixel = self._vector("FRACTION", self._pixels.outputs[0])
        within = self._vector("SUBTRACT", position_in_pixel, (0.5, 0.5, 0.0))
        ray_towards = self._vector("MULTIPLY_ADD", within, spread, towards)
        ray = self._node("Raycast")
        ray.only_local = True
        ray.inputs["Length"].default_value = 1.0
        self._tree.links.new(above, ray.inputs["Position"])
        self._tree.links.new(ray_towards, ray.inputs["Direction"])

        cosine = self._math("MAXIMUM", self._vector("DOT_PRODUCT", normal, towards), 0.0)
        share = self._math("MULTIPLY", cosine, self._math("SUBTRACT", 1.0, ray.outputs["Is Hit"]))
        radiance = self._vector("MULTIPLY_ADD", self._attribute(LIT), share, self._attribute(GLOW))
        emission = self._node("Emission")
        self._tree.links.new(radiance, emission.inputs["Color"])
        self._tree.links.new(emission.outputs[0], self._node("OutputMaterial").inputs["Surface"])
        shown = self._node("OutputAOV")
        shown.aov_name = MARKED
        self._tree.links.new(self._attribute(MARKED, "Fac"), shown.inputs["Value"])

    def set(self, request: RenderRequest) -> None:
        """Set where the lamp is; the mesh says how strong.

        A node takes longer to set than all vertices, so the lamp's direction is the colour of the object,
        and its width the opacity: two numbers that every shader can read and that nothing else looks at.
        """
        light = request.light
        pixels, size_px = self._pixels.inputs[1], (request.width_px, request.height_px, 0.0)
        if tuple(pixels.default_value) != size_px:
            pixels.default_value = size_px
        if light is not None:
            towards = (to_blender(np.array(light.direction)) + 1) / 2  # colours are not negative
            self._hand.color = (*towards.tolist(), float(np.radians(light.angle_deg)))

    def _attribute(self, name: str, output: str = "Vector") -> Any:
        node = self._node("Attribute")
        node.attribute_name = name
        return node.outputs[output]

    def _node(self, kind: str) -> Any:
        return self._tree.nodes.new(f"ShaderNode{kind}")

    def _vector_node(self, operation: str, *inputs: Any) -> Any:
        return self._filled(self._node("VectorMath"), operation, inputs)

    def _vector(self, operation: str, *inputs: Any) -> Any:
        made = self._vector_node(operation, *inputs)
        return made.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]

    def _math(self, operation: str, *inputs: Any) -> Any:
        return self._filled(self._node("Math"), operation, inputs).outputs[0]

    def _filled(self, node: Any, operation: str, inputs: tuple[Any, ...]) -> Any:
        """Set an operation and its inputs, each a socket to link or a constant."""
        node.operation = operation
        for socket, value in zip(node.inputs, inputs, strict=False):
            if isinstance(value, bpy.types.NodeSocket):
                self._tree.links.new(value, socket)
            else:
                socket.default_value = value
        return node
