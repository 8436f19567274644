/** @file  a · b + c: one rounding where the module is built with relaxed SIMD (the processor may then fuse them), two where it is not. */

export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** a + w (b − a). */
export function blend(a: v128, b: v128, w: v128): v128 {
  return madd(w, f32x4.sub(b, a), a);
}
