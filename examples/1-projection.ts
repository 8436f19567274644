// %% [markdown]
// # 1. Project and back-project a phantom
//
// What does a scanner see of an image, and what does the transpose of that give back? Forward projection A, back projection Aᵀ, and why they must be
// exact transposes of each other.

// %%
import { adjointError, array, fromWorld, phantom, scannerByName, sinogramLayout } from 'coincide';
import { openEngine, picture, png } from 'coincide/node';

//| import { display } from 'tslab';

// %% [markdown]
// ## A phantom and a scanner
// A brain, and the small demonstration scanner: 16 rings of 192 crystals. `fromWorld` brings the image from the patient's world (RAS+) into the scanner's frame.

// %%
const brain = phantom('brain', { seed: 3 });
const { grid, values } = fromWorld(brain.activity, 'HFS');
const layout = sinogramLayout(scannerByName('small'), { span: 3, maxRingDifference: 7 });
console.log(
  'image',
  grid.shape,
  'voxels of',
  grid.voxelSize,
  'mm;',
  layout.views,
  'views,',
  layout.tangential,
  'positions,',
  layout.segments.length,
  'segments',
);
//| display.png(png(picture(brain.activity.values, 'transaxial', 12, 15)));

// %% [markdown]
// ## Forward: line integrals
// An engine makes an operator of some views, here of all: image → sinogram `[tof, plane, view, tangential]`, in units of the image × mm. Plane 15 is a direct one;
// each point of the brain draws a sine curve.

// %%
const engine = await openEngine({ device: 'cpu' });
const views = Array.from({ length: layout.views }, (_, view) => view);
const projector = engine.sinogramProjector(layout, views, grid);
const sinogram = await projector.forward(values);
const [, planes, nViews, nTangential] = sinogram.shape;
console.log('sinogram', sinogram.shape);
const direct = array([planes!, nViews!, nTangential!], sinogram.data);
//| display.png(png(picture(direct, 'transaxial', 1500, 15)));

// %% [markdown]
// ## Back: the transpose
// Every bin is spread along its line again. The result is no reconstruction: it is blurred by 1/r, and brighter where more lines pass.

// %%
const back = await projector.adjoint(sinogram);
const brightest = back.data.reduce((a, b) => Math.max(a, b), 0);
//| display.png(png(picture(back, 'transaxial', brightest, 15)));
console.log('brightest voxel', brightest.toPrecision(4));

// %% [markdown]
// ## Are they transposes?
// ⟨A x, y⟩ = ⟨x, Aᵀ y⟩ for every x and y: an iteration with another Aᵀ would drift to another image. `adjointError` tries it with random vectors, and works for operators
// of your own.

// %%
console.log('adjoint error', (await adjointError(projector)).toExponential(1));
await engine.dispose();
