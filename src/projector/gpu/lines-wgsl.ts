/** @file  Lines in any place, in WGSL: gpu.js knows no atomic additions. One thread a line,
 *    forward   p = Δ Σ_i ω_i Σ_jk h(u_i − j) h(w_i − k) f[i, j, k],   adjoint: the same weights times p, added to the voxels.
 *  Sums are whole numbers of 64 bits in two words, and so do not depend on the order of the lines: repeats are the same to the last bit. */

const shared = /* wgsl */ `
struct Settings { nx: i32, ny: i32, nz: i32, column: i32, lead: i32, count: u32, tof: u32, omegaLength: i32,
                  omegaZero: f32, perBin: f32, near: f32, reach: f32 }
@group(0) @binding(0) var<uniform> s: Settings;

/** See lineRow in lines.ts. */
struct Line { u: vec4f, w: vec4f, range: vec4f, tof: vec4f }
struct Sample { share: f32, x0: i32, y0: i32, x1: i32, y1: i32, k: i32, wu: f32, wk: f32 }

fn omegaAt(x: f32) -> f32 {
  if (abs(x) >= s.reach) { return 0.0; }
  let place = s.omegaZero + x * s.perBin;
  let below = floor(place);
  var at = i32(below);
  if (abs(x - floor(x + 0.5)) > s.near) { at += s.omegaLength; }
  return omega[at] + (place - below) * (omega[at + 1] - omega[at]);
}

fn sampleAt(line: Line, i: f32) -> Sample {
  var out: Sample;
  out.share = 1.0;
  if (s.tof == 1u) { out.share = omegaAt(line.tof.x * i + line.tof.y); }
  let alongY = line.range.z > 0.5;
  let uh = line.u.x * i + line.u.z;
  let ul = line.u.y * i + line.u.w;
  let across = f32(select(s.ny, s.nx, alongY));
  let j = clamp(floor(uh + ul), -1.0, across - 1.0);
  out.wu = (uh - j) + ul;
  let wh = line.w.x * i + line.w.z;
  let wl = line.w.y * i + line.w.w;
  let k = clamp(floor(wh + wl), -1.0, f32(s.nz) - 1.0);
  out.wk = (wh - k) + wl;
  out.k = i32(k);
  out.x0 = select(i32(i), i32(j), alongY);
  out.y0 = select(i32(j), i32(i), alongY);
  out.x1 = select(out.x0, out.x0 + 1, alongY);
  out.y1 = select(out.y0 + 1, out.y0, alongY);
  return out;
}

/** Index of a voxel of the image with zeros around it. */
fn place(x: i32, y: i32, z: i32) -> i32 { return ((x + 1) * (s.ny + 2) + y + 1) * s.column + z + s.lead; }
`;

export const forwardLines: string = /* wgsl */ `
@group(0) @binding(1) var<storage, read> image: array<f32>;
@group(0) @binding(2) var<storage, read> lines: array<Line>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<storage, read> omega: array<f32>;
${shared}
fn column(x: i32, y: i32, k: i32, wk: f32) -> f32 {
  let at = place(x, y, k);
  return (1.0 - wk) * image[at] + wk * image[at + 1];
}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= s.count) { return; }
  let line = lines[id.x];
  var sum = 0.0;
  for (var i = line.range.x; i <= line.range.y; i += 1.0) {
    let at = sampleAt(line, i);
    sum += at.share * ((1.0 - at.wu) * column(at.x0, at.y0, at.k, at.wk) + at.wu * column(at.x1, at.y1, at.k, at.wk));
  }
  values[id.x] = sum * line.range.w;
}`;

/** Values must not be so large that a weight times a value exceeds 1. */
export const adjointLines: string = /* wgsl */ `
@group(0) @binding(1) var<storage, read_write> sums: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read> lines: array<Line>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> omega: array<f32>;
@group(0) @binding(5) var<uniform> scale: vec4f;
${shared}
/** Adds value · scale to the 64-bit number of a voxel. */
fn add(x: i32, y: i32, z: i32, value: f32) {
  let magnitude = floor(abs(value) * scale.x + 0.5);
  let above = floor(magnitude / 4294967296.0);
  var high = u32(above);
  var low = u32(magnitude - above * 4294967296.0);
  if (value < 0.0) {
    low = ~low + 1u;
    high = ~high + select(0u, 1u, low == 0u);
  }
  let at = 2 * place(x, y, z);
  let before = atomicAdd(&sums[at], low);
  atomicAdd(&sums[at + 1], high + select(0u, 1u, before + low < before));
}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= s.count) { return; }
  let line = lines[id.x];
  let value = values[id.x] * line.range.w;
  for (var i = line.range.x; i <= line.range.y; i += 1.0) {
    let at = sampleAt(line, i);
    // One addition in a loop: written out four times, SwiftShader took ten seconds to compile it.
    for (var n = 0u; n < 4u; n += 1u) {
      let far = (n & 1u) == 1u;
      let up = (n & 2u) == 2u;
      let x = select(at.x0, at.x1, far);
      let y = select(at.y0, at.y1, far);
      let z = at.k + select(0, 1, up);
      let weight = select(1.0 - at.wu, at.wu, far) * select(1.0 - at.wk, at.wk, up);
      if (weight != 0.0 && x >= 0 && x < s.nx && y >= 0 && y < s.ny && z >= 0 && z < s.nz) {
        add(x, y, z, weight * at.share * value);
      }
    }
  }
}`;

/** 64-bit sums → float32, over rows of 64 threads of at most 65535 workgroups. */
export const sumsToImage: string = /* wgsl */ `
@group(0) @binding(0) var<storage, read> sums: array<u32>;
@group(0) @binding(1) var<storage, read_write> image: array<f32>;
@group(0) @binding(2) var<uniform> scale: vec4f;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i >= arrayLength(&image)) { return; }
  var low = sums[2u * i];
  var high = sums[2u * i + 1u];
  let negative = (high >> 31u) == 1u;
  if (negative) {
    low = ~low + 1u;
    high = ~high + select(0u, 1u, low == 0u);
  }
  let value = (f32(high) * 4294967296.0 + f32(low)) * scale.y;
  image[i] = select(value, -value, negative);
}`;
