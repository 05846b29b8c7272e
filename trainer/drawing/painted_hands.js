"use strict";
// Paints the mesh of a hand from any side, smooth and lit as drawing/overlay.py does it, with WebGL; where a browser
// has none, drawMesh does the same flat. There is one WebGL canvas for the whole page, out of sight: browsers allow
// about sixteen, and a page has hundreds of hands. Each painting is copied from there to where it belongs.
const hasWebGL = () => painter !== null && !painter.gl.isContextLost();

// `turn` is by how many radians the hand is turned about the vertical (yaw), then about the horizontal (pitch), both
// through the middle of its vertices. Without it, the hand is as the camera saw it.
function paintMesh(pen, hand, place, { isLeft = false, turn = null, opacity = MESH_OPACITY } = {}) {
  const { width, height } = pen.canvas;
  if (!width || !height) return;
  const middle = turn ? middleOf(hand) : [0, 0, 0], matrix = turnMatrix(turn ?? { yaw: 0, pitch: 0 });
  pen.globalAlpha = opacity;
  if (hasWebGL()) {
    painter.paint({ width, height, mesh: meshOf(hand, isLeft), middle, matrix, place });
    pen.drawImage(painter.canvas, 0, 0);
  } else drawMesh(pen, turn ? turned(hand, middle, matrix) : hand, place, isLeft);
  pen.globalAlpha = 1;
}

function turnMatrix({ yaw, pitch }) {  // column by column, as WebGL wants it
  const [c, s, d, t] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return [c, s * t, -s * d, 0, d, t, s, -c * t, c * d];
}
function turned(hand, middle, m) {
  const points = new Float32Array(hand.length);
  for (let start = 0; start < hand.length; start += 3) {
    const [x, y, z] = middle.map((value, axis) => hand[start + axis] - value);
    for (let axis = 0; axis < 3; axis++) points[start + axis] = m[axis] * x + m[3 + axis] * y + m[6 + axis] * z;
  }
  return points;
}
function middleOf(hand) {
  return [0, 1, 2].map((axis) => {
    let low = Infinity, high = -Infinity;
    for (let place = 3 * NUM_JOINTS + axis; place < hand.length; place += 3) {
      low = Math.min(low, hand[place]); high = Math.max(high, hand[place]);
    }
    return (low + high) / 2;
  });
}

// Vertices, and their normals away from the hand: the mean of those of the faces around, weighed by area.
const meshes = new WeakMap();
function meshOf(hand, isLeft) {
  if (meshes.has(hand)) return meshes.get(hand);
  const verts = Float32Array.from(hand.subarray(3 * NUM_JOINTS)), normals = new Float32Array(verts.length);
  const outside = isLeft ? -1 : 1;
  for (let face = 0; face < faces.length; face += 3) {
    const [a, b, c] = [3 * faces[face], 3 * faces[face + 1], 3 * faces[face + 2]];
    const u = [0, 1, 2].map((axis) => verts[b + axis] - verts[a + axis]), v = [0, 1, 2].map((axis) => verts[c + axis] - verts[a + axis]);
    const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    for (const corner of [a, b, c]) for (let axis = 0; axis < 3; axis++) normals[corner + axis] += outside * normal[axis];
  }
  meshes.set(hand, { verts, normals });
  return meshes.get(hand);
}

const painter = (() => {
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl", { antialias: true, premultipliedAlpha: true });
  if (!gl) return null;
  const VERTEX = `
    attribute vec3 vert, normal;
    uniform vec3 middle;
    uniform vec2 origin, size;
    uniform mat3 turn;
    uniform float scale;
    varying vec3 facing;
    void main() {
      vec3 point = turn * (vert - middle);
      vec2 place = (origin + scale * point.xy) / size * 2.0 - 1.0;
      facing = turn * normal;
      gl_Position = vec4(place.x, -place.y, point.z / 131072.0, 1.0);
    }`;
  const FRAGMENT = `
    precision mediump float;
    varying vec3 facing;
    void main() {
      vec3 out_of = normalize(facing), light = normalize(vec3(-0.50, -0.68, -0.53));
      float diffuse = max(dot(out_of, light), 0.0);
      float shine = pow(max(dot(out_of, normalize(light - vec3(0.0, 0.0, 1.0))), 0.0), 16.0);
      vec3 colour = vec3(122.0, 192.0, 255.0) / 255.0 * (0.42 + 0.80 * diffuse) + 0.25 * shine;
      gl_FragColor = vec4(min(colour, 1.0), 1.0);
    }`;
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text); gl.compileShader(shader); gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  gl.enable(gl.DEPTH_TEST);
  const at = Object.fromEntries(["middle", "origin", "size", "turn", "scale"].map((name) => [name, gl.getUniformLocation(program, name)]));
  const buffers = ["vert", "normal"].map((name) => {
    const buffer = gl.createBuffer(), attribute = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(attribute);
    gl.vertexAttribPointer(attribute, 3, gl.FLOAT, false, 0, 0);
    return buffer;
  });
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces, gl.STATIC_DRAW);
  let loaded = null;

  function paint({ width, height, mesh, middle, matrix, place }) {
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    if (mesh !== loaded) [mesh.verts, mesh.normals].forEach((values, number) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffers[number]);
      gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    });
    loaded = mesh;
    gl.viewport(0, 0, width, height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniform3fv(at.middle, middle);
    gl.uniform2f(at.origin, place.x, place.y);
    gl.uniform2f(at.size, width, height);
    gl.uniformMatrix3fv(at.turn, false, matrix);
    gl.uniform1f(at.scale, place.scale);
    gl.drawElements(gl.TRIANGLES, faces.length, gl.UNSIGNED_SHORT, 0);
  }
  return { canvas, gl, paint };
})();
