/** @file  Between [plane][bin], as data lie, and [bin][plane], as kernels work: 4 × 4 values at a time. */

/** out[b · outStride + r] = from[r · fromStride + b], r < rows, b < columns; strides in bytes. */
export function transpose(from: usize, fromStride: usize, out: usize, outStride: usize, rows: i32, columns: i32): void {
  let b = 0;
  for (; b + 4 <= columns; b += 4) {
    let to = out + <usize>b * outStride;
    let at = from + ((<usize>b) << 2);
    let r = 0;
    for (; r + 4 <= rows; r += 4) {
      const v0 = v128.load(at);
      const v1 = v128.load(at + fromStride);
      const v2 = v128.load(at + 2 * fromStride);
      const v3 = v128.load(at + 3 * fromStride);
      const low01 = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5);
      const low23 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
      const high23 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
      v128.store(to + outStride, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
      v128.store(to + 2 * outStride, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
      v128.store(to + 3 * outStride, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
      to += 16;
      at += 4 * fromStride;
    }
    for (; r < rows; r++) {
      store<f32>(to, load<f32>(at));
      store<f32>(to + outStride, load<f32>(at, 4));
      store<f32>(to + 2 * outStride, load<f32>(at, 8));
      store<f32>(to + 3 * outStride, load<f32>(at, 12));
      to += 4;
      at += fromStride;
    }
  }
  for (; b < columns; b++) {
    let to = out + <usize>b * outStride;
    let at = from + ((<usize>b) << 2);
    for (let r = 0; r < rows; r++) {
      store<f32>(to, load<f32>(at));
      to += 4;
      at += fromStride;
    }
  }
}
