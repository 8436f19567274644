import { expect, it } from 'vitest';
import { emit, input, output } from '../../src/network/graph.js';
import { encodeModel } from '../../src/network/onnx.js';
import { normals, runGraph } from './laws.js';

it('writes the bytes of the protobuf wire format', () => {
  const model = encodeModel({ nodes: [], constants: [], inputs: [{ name: 'x', shape: [300] }], outputs: [] });
  // biome-ignore format: one field a line, by hand from onnx.proto3
  expect([...model]).toEqual([
    8, 10, // ir_version 10
    18, 8, ...Buffer.from('coincide'), // producer_name
    58, 28, // graph
    18, 8, ...Buffer.from('coincide'), // name
    90, 16, 10, 1, 120, // input, its name x
    18, 11, 10, 9, 8, 1, 18, 5, // type: tensor, float, shape
    10, 3, 8, 172, 2, // one dimension of 300
    66, 4, 10, 0, 16, 21, // opset 21
  ]);
});

it('negative integers, floats that are whole numbers and long integers reach ONNX Runtime', async () => {
  const shape = [2, 3, 200];
  const x = normals(shape, 1);
  const { joined, soft } = await runGraph(
    (graph) => {
      const v = input(graph, 'x', shape);
      output(emit('Concat', [v, v], [2, 6, 200], { axis: { int: -2 } }), 'joined');
      output(emit('LeakyRelu', [v], shape, { alpha: { float: 2 } }), 'soft');
    },
    { x },
  );
  expect(joined.slice(600, 1200)).toEqual(x.slice(0, 600));
  expect(soft).toEqual(x.map((value) => (value < 0 ? 2 * value : value)));
});
