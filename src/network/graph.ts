/** @file  A graph of ONNX nodes with static shapes, and reverse-mode differentiation while it is built.
 *  A differentiable operation appends its nodes and records on a tape how the gradient g = ∂L/∂(its output) becomes the gradient of
 *  each of its inputs (the vector-Jacobian products). `gradients` walks the tape backwards and appends the nodes of these products,
 *  so that the backward pass is part of the graph and any ONNX runtime can run it. */
import { size } from '../core/array.js';
import { ModelError, ShapeError } from '../core/errors.js';
import { type Attribute, encodeModel, type OnnxConstant, type OnnxNode, type TensorInfo } from './onnx.js';

/** A value in a graph. */
export interface Var extends TensorInfo {
  readonly graph: Graph;
  readonly needsGradient: boolean;
}
/** One recorded operation; `vjps[i]` maps the gradient of the output to that of `inputs[i]`. */
interface Recorded {
  readonly output: Var;
  readonly inputs: readonly Var[];
  readonly vjps: readonly Vjp[];
}
export type Vjp = (g: Var) => Var;

/** What has been emitted so far; changed only by the functions of this file. */
export interface Graph {
  readonly nodes: OnnxNode[];
  readonly constants: Map<string, OnnxConstant>;
  readonly inputs: TensorInfo[];
  readonly outputs: TensorInfo[];
  readonly tape: Recorded[];
  /** Off while `gradients` emits: the backward pass is not differentiated again. */
  recording: boolean;
}
/** A finished graph: the bytes of the ONNX model, and what it takes and gives (all float32). */
export interface Program {
  readonly model: Uint8Array;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

export function newGraph(): Graph {
  return { nodes: [], constants: new Map(), inputs: [], outputs: [], tape: [], recording: true };
}

/** A value fed at every run. @param needsGradient whether `gradients` may be asked for it. */
export function input(graph: Graph, name: string, shape: readonly number[], needsGradient = false): Var {
  graph.inputs.push({ name, shape });
  return { graph, name, shape, needsGradient };
}

/** A constant of any shape, under its own name. Only the float ones are for arithmetic; the others are for operations that ask for their type. */
export function constant(
  graph: Graph,
  name: string,
  shape: readonly number[],
  data: Exclude<OnnxConstant['data'], BigInt64Array>,
): Var {
  if (data.length !== size(shape)) {
    throw new ShapeError('Constant', { key: name, expected: `${size(shape)} values`, found: data.length });
  }
  graph.constants.set(name, { name, shape, data });
  return { graph, name, shape, needsGradient: false };
}

/** An int64 vector (shapes, axes, starts); equal ones are stored once. */
export function ints(graph: Graph, values: readonly number[]): Var {
  const name = `ints:${values.join(',')}`;
  if (!graph.constants.has(name)) {
    graph.constants.set(name, { name, shape: [values.length], data: BigInt64Array.from(values, BigInt) });
  }
  return { graph, name, shape: [values.length], needsGradient: false };
}

/** A float, shape []; equal ones are stored once. */
export function scalar(graph: Graph, value: number): Var {
  const name = `scalar:${value}`;
  return constant(graph, name, [], (graph.constants.get(name)?.data as Float32Array | undefined) ?? Float32Array.of(value));
}

/** A vector of ones, shape [n]; stored once. */
export function ones(graph: Graph, n: number): Var {
  const name = `ones:${n}`;
  return constant(graph, name, [n], (graph.constants.get(name)?.data as Float32Array | undefined) ?? new Float32Array(n).fill(1));
}

/** Appends one node with one output. Not differentiable by itself: see `record`. */
export function emit(
  op: string,
  inputs: readonly Var[],
  shape: readonly number[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Var {
  return emitMany(op, inputs, [shape], attributes)[0];
}

/** Appends one node with several outputs, of the given shapes. */
export function emitMany(
  op: string,
  inputs: readonly Var[],
  shapes: readonly (readonly number[])[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Var[] {
  const { graph } = inputs[0];
  const id = graph.nodes.length;
  const outputs = shapes.map((shape, i): Var => ({ graph, name: `${op}${id}.${i}`, shape, needsGradient: false }));
  graph.nodes.push({ op, inputs: inputs.map(({ name }) => name), outputs: outputs.map(({ name }) => name), attributes });
  return outputs;
}

/** Puts an operation on the tape, if one of its inputs needs a gradient. @returns the output, marked so. */
export function record(output: Var, inputs: readonly Var[], vjps: readonly Vjp[]): Var {
  const { graph } = output;
  if (!graph.recording || !inputs.some((v) => v.needsGradient)) return output;
  const marked = { ...output, needsGradient: true };
  graph.tape.push({ output: marked, inputs, vjps });
  return marked;
}

/** Makes a value an output of the model, under the given name. */
export function output(value: Var, name: string): void {
  emitNamed('Identity', value, name);
  value.graph.outputs.push({ name, shape: value.shape });
}

function emitNamed(op: string, value: Var, name: string): void {
  value.graph.nodes.push({ op, inputs: [value.name], outputs: [name], attributes: {} });
}

/** The model as bytes. */
export function program({ nodes, constants, inputs, outputs }: Graph): Program {
  return {
    model: encodeModel({ nodes, constants: [...constants.values()], inputs, outputs }),
    inputs: [...inputs],
    outputs: [...outputs],
  };
}

/**
 * Appends the backward pass of `of`.
 * @param wrt values that need a gradient and that `of` depends on.
 * @param seed ∂L/∂(of), its shape: a loss outside the graph, such as the likelihood of a projector's data. @default 1 for a scalar.
 * @returns ∂L/∂w for each w, in its shape.
 * @throws ShapeError when the seed does not fit. @throws ModelError when `of` does not depend on one of `wrt`.
 */
export function gradients(of: Var, wrt: readonly Var[], seed?: Var): Var[] {
  const { graph } = of;
  const start = seed ?? scalar(graph, 1);
  if (start.shape.join() !== of.shape.join()) {
    throw new ShapeError('Seed of the gradient', {
      key: of.name,
      expected: `shape [${of.shape.join(', ')}]`,
      found: [...start.shape],
    });
  }
  const sums = new Map<string, Var>([[of.name, start]]);
  graph.recording = false;
  for (const { output, inputs, vjps } of [...graph.tape].reverse()) {
    const g = sums.get(output.name);
    if (g === undefined) continue; // nothing that was asked for depends on this operation
    inputs.forEach((v, i) => {
      if (!v.needsGradient) return;
      const term = vjps[i](g);
      if (term.shape.join() !== v.shape.join()) {
        throw new ShapeError('Gradient', { key: v.name, expected: `shape [${v.shape.join(', ')}]`, found: [...term.shape] });
      }
      const sum = sums.get(v.name);
      sums.set(v.name, sum === undefined ? term : emit('Add', [sum, term], v.shape));
    });
  }
  graph.recording = true;
  return wrt.map((v) => {
    const g = sums.get(v.name);
    if (g === undefined) throw new ModelError('The value does not depend on what its gradient is asked for', { key: v.name });
    return g;
  });
}
