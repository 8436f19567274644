/** The public surface is written by hand and pinned here: a change of it is a decision. */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import * as browser from '../src/index.js';
import * as node from '../src/node/index.js';

it('coincide exports what it exports', () => {
  expect(Object.keys(browser).sort()).toMatchInlineSnapshot(`
    [
      "CoincideError",
      "DeviceError",
      "FormatError",
      "GeometryError",
      "ModelError",
      "OptionError",
      "ShapeError",
      "acquire",
      "adjointError",
      "affineOf",
      "array",
      "attenuationFactors",
      "binsOfEvents",
      "centredGrid",
      "checkedScan",
      "compose",
      "contrastRecovery",
      "cosine",
      "coveringShape",
      "ddim",
      "defaultGrid",
      "denoiseVolume",
      "deviance",
      "diagonal",
      "discrete",
      "estimateRandoms",
      "expectedDeviance",
      "fieldOfViewMask",
      "fill",
      "findScanner",
      "flatParameters",
      "fromWorld",
      "gaussianDenoiser",
      "gaussianPsf",
      "histogramMmr",
      "hqs",
      "imageError",
      "initialParameters",
      "isSoftwareAdapter",
      "josephProjector",
      "last",
      "linearAlphaBar",
      "linesOf",
      "listMode",
      "listModeModel",
      "listModeProjector",
      "mmrEvents",
      "negLogLikelihood",
      "noiseField",
      "noiseLevel",
      "openGpuEngine",
      "openModel",
      "orderedSubsets",
      "osem",
      "parameterCount",
      "parseModelCard",
      "parseScanner",
      "parseTrainingConfig",
      "petImage",
      "phantom",
      "plan",
      "poissonProx",
      "positiveRoot",
      "precondition",
      "probeSpeed",
      "random",
      "readDicomSeries",
      "readInterfileImage",
      "readInterfileLayout",
      "readInterfileProjData",
      "readMmrListModeHeader",
      "readNifti",
      "readSafetensors",
      "referenceEngine",
      "regionBias",
      "regionStatistics",
      "resample",
      "resampledDenoiser",
      "scaledDenoiser",
      "scannerByName",
      "scanners",
      "secondsPerIteration",
      "siddonProjector",
      "siddonSinogramProjector",
      "sigmaLadder",
      "sinogramLayout",
      "sinogramShape",
      "ssim",
      "suvFactor",
      "systemModel",
      "thin",
      "toWorld",
      "train",
      "turn",
      "uniformStart",
      "writeDicomSeries",
      "writeInterfileImage",
      "writeInterfileProjData",
      "writeNifti",
      "writeSafetensors",
    ]
  `);
});

it('coincide/node exports what it exports', () => {
  expect(Object.keys(node).sort()).toMatchInlineSnapshot(`
    [
      "dataUri",
      "defaultModel",
      "loadModel",
      "openEngine",
      "openEvaluator",
      "openTrainer",
      "picture",
      "png",
      "readImage",
      "readLabels",
      "readModel",
      "readScan",
      "readScanner",
      "reconstruct",
      "version",
      "writeImage",
      "writeModel",
      "writeScan",
    ]
  `);
});

const root = resolve(import.meta.dirname, '..');
const run = (...args: string[]): string => execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }).trim();

it('loads by import and by require, under both names', () => {
  const print = 'console.log(typeof a.osem, typeof b.reconstruct)';
  expect(run('--input-type=module', '-e', `import * as a from 'coincide'; import * as b from 'coincide/node'; ${print}`)).toBe(
    'function function',
  );
  expect(run('--no-warnings', '-e', `const a = require('coincide'), b = require('coincide/node'); ${print}`)).toBe(
    'function function',
  );
});
