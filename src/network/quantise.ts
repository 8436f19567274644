/** @file  Convolutions in 8-bit integers, for drafts: values are rounded before and after each, and ONNX Runtime multiplies integers.
 *    x ≈ s_x (q_x − 128),  q_x in 0 … 255      s_x = max |x| / 127 over the calibration data, one per tensor
 *    w ≈ s_w q_w,          q_w in −63 … 63     s_w = max |w| / 63, one per output channel
 *    y ≈ s_y (q_y − 128)                       b ≈ s_x s_w q_b in 32 bits
 *  Jacob et al. 2018, arXiv:1712.05877, in ONNX's form of quantise–dequantise pairs about an operation. Weights keep 7 bits: sums of two products
 *  of 8 bits overflow the 16-bit additions of processors without VNNI. The first and the last convolution stay as they are. */
import { size } from '../core/array.js';
import { ModelError } from '../core/errors.js';
import { conv3d, type Kernel, window } from './conv3d.js';
import { constant, emit, scalar, type Var } from './graph.js';
import { concat, reshape } from './ops.js';
import { checkedParameters, parameterManifest } from './parameters.js';
import type { Architecture, Convolve } from './unet.js';

/** Largest magnitudes of a convolution's input and output, by its name. */
export type Activations = Readonly<Record<string, readonly [input: number, output: number]>>;

/** Convolutions that see volumes of the image, or make them. */
const kept: readonly string[] = ['stem', 'head'];
const weightLevels = 63;

/**
 * Convolutions of the weights in integers.
 * @param parameters flat. @param activations from `observed` and calibration data.
 * @throws ModelError when parameters do not fit the architecture, or a convolution was not calibrated.
 */
export function quantised(architecture: Architecture, parameters: Float32Array, activations: Activations): Convolve {
  checkedParameters(architecture, parameters);
  const entries = new Map(parameterManifest(architecture).map((entry) => [entry.name, entry]));
  const values = (name: string): Float32Array => {
    const { offset, shape } = entries.get(name)!;
    return parameters.subarray(offset, offset + size(shape));
  };
  return (name, x, weight, bias) => {
    if (kept.includes(name)) return conv3d(x, weight, bias);
    const range = activations[name];
    if (!range?.every((most) => most > 0)) {
      throw new ModelError('Convolution without calibration', { key: name, expected: 'two positive magnitudes', found: range });
    }
    const [sx, sy] = range.map((most) => most / 127) as [number, number];
    const { graph } = x;
    const [co] = weight.shape;
    const { q, scales } = rounded(values(`${name}.weight`), co!);
    const biasScales = scales.map((s) => s * sx);
    const b = Int32Array.from(values(`${name}.bias`), (value, c) => Math.round(value / biasScales[c]!));
    const perChannel = { axis: { int: 0 } };
    const w8 = constant(graph, `${name}.weight:int8`, weight.shape, q);
    const w = emit('DequantizeLinear', [w8, constant(graph, `${name}.weight:scale`, [co!], scales)], weight.shape, perChannel);
    const b32 = constant(graph, `${name}.bias:int32`, bias.shape, b);
    const offset = emit(
      'DequantizeLinear',
      [b32, constant(graph, `${name}.bias:scale`, [co!], biasScales)],
      bias.shape,
      perChannel,
    );
    const [n, , ...grid] = x.shape;
    const kernel = weight.shape.slice(2) as unknown as Kernel;
    const y = emit('Conv', [throughBytes(x, sx), w, offset], [n!, co!, ...grid], window(kernel));
    return throughBytes(y, sy);
  };
}

/**
 * Convolutions as they are, which note how large their inputs and outputs get.
 * @returns the convolution, and what gives the magnitudes once all are made: [input, output] of each name in turn.
 */
export function observed(): {
  convolve: Convolve;
  magnitudes: () => { readonly names: readonly string[]; readonly values: Var };
} {
  const names: string[] = [];
  const found: Var[] = [];
  const magnitude = (x: Var): Var => reshape(emit('ReduceMax', [emit('Abs', [x], x.shape)], [], { keepdims: { int: 0 } }), [1]);
  return {
    convolve: (name, x, weight, bias) => {
      const y = conv3d(x, weight, bias);
      if (!kept.includes(name)) {
        names.push(name);
        found.push(magnitude(x), magnitude(y));
      }
      return y;
    },
    magnitudes: () => ({ names, values: concat(found, 0) }),
  };
}

/** x, rounded to one of 256 values. */
function throughBytes(x: Var, step: number): Var {
  const { graph } = x;
  const about = [scalar(graph, step), constant(graph, 'middle', [], Uint8Array.of(128))];
  return emit('DequantizeLinear', [emit('QuantizeLinear', [x, ...about], x.shape), ...about], x.shape);
}

function rounded(weights: Float32Array, channels: number): { q: Int8Array; scales: Float32Array } {
  const each = weights.length / channels;
  const scales = new Float32Array(channels);
  for (let c = 0; c < channels; c++) {
    let most = 0;
    for (let i = c * each; i < (c + 1) * each; i++) most = Math.max(most, Math.abs(weights[i]!));
    scales[c] = most > 0 ? most / weightLevels : 1;
  }
  return { q: Int8Array.from(weights, (w, i) => Math.round(w / scales[Math.floor(i / each)]!)), scales };
}
