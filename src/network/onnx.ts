/** @file  Writes an ONNX model as protobuf bytes: the dozen messages of onnx.proto3 that our graphs need, and nothing else.
 *  Field numbers are those of https://github.com/onnx/onnx/blob/v1.17.0/onnx/onnx.proto3 (IR version 10, opset 21). */

/** An attribute states its type: JavaScript cannot tell the float 1 from the integer 1. */
export type Attribute = { readonly int: number } | { readonly float: number } | { readonly ints: readonly number[] };
export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}
/** Name and shape of a float32 input or output. */
export interface TensorInfo {
  readonly name: string;
  readonly shape: readonly number[];
}
/** A constant: float32, int64, int32, int8 or uint8 by the type of its data. */
export interface OnnxConstant extends TensorInfo {
  readonly data: Float32Array | BigInt64Array | Int32Array | Int8Array | Uint8Array;
}
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
}

const irVersion = 10;
const opset = 21;
const elementType = (data: OnnxConstant['data']): number => {
  if (data instanceof Float32Array) return 1;
  if (data instanceof Uint8Array) return 2;
  if (data instanceof Int8Array) return 3;
  return data instanceof Int32Array ? 6 : 7;
};
const floats: number = elementType(new Float32Array());
const attributeType: { readonly float: number; readonly int: number; readonly ints: number } = { float: 1, int: 2, ints: 7 };

/** The bytes of a ModelProto, ready for ONNX Runtime or a file. */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  return join([
    integer(1, irVersion),
    text(2, 'coincide'),
    message(7, encodeGraph(graph)),
    message(8, [text(1, ''), integer(2, opset)]),
  ]);
}

function encodeGraph({ nodes, constants, inputs, outputs }: OnnxGraph): Uint8Array[] {
  return [
    ...nodes.map((node) => message(1, encodeNode(node))),
    text(2, 'coincide'),
    ...constants.map((constant) => message(5, encodeConstant(constant))),
    ...inputs.map((info) => message(11, encodeInfo(info))),
    ...outputs.map((info) => message(12, encodeInfo(info))),
  ];
}

function encodeNode({ op, inputs, outputs, attributes }: OnnxNode): Uint8Array[] {
  return [
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, [text(1, name), ...encodeAttribute(value)])),
  ];
}

function encodeAttribute(value: Attribute): Uint8Array[] {
  if ('float' in value) return [float(2, value.float), integer(20, attributeType.float)];
  if ('int' in value) return [integer(3, value.int), integer(20, attributeType.int)];
  return [...value.ints.map((i) => integer(8, i)), integer(20, attributeType.ints)];
}

function encodeConstant({ name, shape, data }: OnnxConstant): Uint8Array[] {
  // raw_data is little-endian, as typed arrays are on every machine that runs JavaScript today.
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [...shape.map((n) => integer(1, n)), integer(2, elementType(data)), text(8, name), message(9, [raw])];
}

function encodeInfo({ name, shape }: TensorInfo): Uint8Array[] {
  const dimensions = shape.map((n) => message(1, [integer(1, n)]));
  return [text(1, name), message(2, [message(1, [integer(1, floats), message(2, dimensions)])])];
}

// Protobuf wire format: a field is its key (number << 3 | wire type) and its payload.
const wire: { readonly varint: number; readonly bytes: number; readonly fixed32: number } = { varint: 0, bytes: 2, fixed32: 5 };
const utf8: TextEncoder = new TextEncoder();

function integer(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint((field << 3) | wire.varint), ...varint(value)]);
}

function float(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint((field << 3) | wire.fixed32), ...new Uint8Array(Float32Array.of(value).buffer)]);
}

function text(field: number, value: string): Uint8Array {
  return message(field, [utf8.encode(value)]);
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return join([Uint8Array.from([...varint((field << 3) | wire.bytes), ...varint(length)]), ...parts]);
}

/** Seven bits a byte, lowest first; negative numbers as 64-bit two's complement. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
