/** @file  The normal deviates of PyTorch on the CPU, so that a published seed can be repeated: Mersenne Twister MT19937 (Matsumoto & Nishimura
 *  1998, doi:10.1145/272991.272995), 24 bits a uniform, and Box & Muller over blocks of 16:
 *    out_j = ρ cos θ,  out_{j+8} = ρ sin θ,   ρ = √(−2 ln(1 − u_j)),  θ = 2π u_{j+8},   j = 0 … 7
 *  Where 16 does not divide the length, the last 16 are drawn anew. Equal to torch.randn to 5e-7; on GPUs PyTorch draws others. */
import { array, size, type Volume } from '../core/array.js';
import { OptionError } from '../core/errors.js';

/**
 * torch.manual_seed(seed) on the CPU.
 * @returns what torch.randn(shape) would give next, for shapes of 16 values or more.
 */
export function torchNoise(seed: number): (shape: readonly number[]) => Volume {
  const bits = mersenneTwister(seed);
  const block = new Float64Array(16);
  const fillBlock = (out: Float32Array, at: number): void => {
    for (let j = 0; j < 8; j++) {
      const radius = Math.sqrt(-2 * Math.log(1 - block[j]!));
      const angle = 2 * Math.PI * block[j + 8]!;
      out[at + j] = radius * Math.cos(angle);
      out[at + j + 8] = radius * Math.sin(angle);
    }
  };
  const uniform = (): number => (bits() & 0xffffff) / 2 ** 24;
  return (shape) => {
    const n = size(shape);
    if (n < 16) throw new OptionError('Noise of PyTorch', { key: 'shape', expected: '16 values or more', found: [...shape] });
    const out = new Float32Array(n);
    // Uniforms are drawn before any is used: those of an incomplete last block are drawn and dropped.
    for (let at = 0; at < n; at += 16) {
      for (let j = 0; j < Math.min(16, n - at); j++) block[j] = uniform();
      if (at + 16 <= n) fillBlock(out, at);
    }
    if (n % 16 !== 0) {
      for (let j = 0; j < 16; j++) block[j] = uniform();
      fillBlock(out, n - 16);
    }
    return array(shape, out);
  };
}

/** Uniform 32-bit integers; the seed's lower 32 bits count. */
function mersenneTwister(seed: number): () => number {
  const [length, middle] = [624, 397];
  const state = new Uint32Array(length);
  state[0] = seed % 2 ** 32;
  for (let i = 1; i < length; i++) state[i] = Math.imul(1812433253, state[i - 1]! ^ (state[i - 1]! >>> 30)) + i;
  let next = length;
  const twist = (): void => {
    for (let i = 0; i < length; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % length]! & 0x7fffffff);
      state[i] = state[(i + middle) % length]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    next = 0;
  };
  return () => {
    if (next === length) twist();
    let y = state[next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };
}
