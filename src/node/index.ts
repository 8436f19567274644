/** @file  What only Node can do: files, worker threads, devices, and the whole line in one call. */
export type { TraceEntry } from './course.js';
export type { DdipSamplesOptions } from './ddip-samples.js';
export { type DeviceOptions, openEngine } from './devices.js';
export type { DiffusionMethod } from './diffusion-methods.js';
export type { FileSet } from './files.js';
export { type LoadedGuidedModel, type LoadGuidedOptions, loadGuidedModel } from './guided-folder.js';
export { readImage, readLabels, writeImage } from './images.js';
export { type ListModeFile, type ListModeOptions, readListMode } from './list-mode-file.js';
export { type Adapter, encodeLora, readLora, withLora } from './lora-file.js';
export {
  defaultModel,
  isTrainable,
  type LoadedModel,
  type LoadOptions,
  loadModel,
  readModel,
  type TrainableModel,
  writeModel,
} from './model-folder.js';
export { openAdapter } from './ort-adapter.js';
export { type EvaluatorOptions, type LoadableEvaluator, openEvaluator } from './ort-evaluator.js';
export type { PoolOptions } from './ort-pool.js';
export { type ChoiceOptions, chooseProvider, type Probe, probeProvider } from './ort-probe.js';
export { openSession, type Provider, type SessionOptions } from './ort-session.js';
export { openTrainer, type TrainerOptions } from './ort-trainer.js';
export type { PenalisedMethod } from './penalised.js';
export { dataUri, type GreyPicture, picture, png, type View } from './png.js';
export {
  type ListModeReconstruction,
  type Method,
  type ReconstructedImage,
  type Reconstruction,
  type ReconstructOptions,
  reconstruct,
} from './reconstruct.js';
export { readScan, type ScanFolder, writeScan } from './scan-folder.js';
export type { ListModeFit, SinogramFit } from './scan-model.js';
export { readScanner } from './scanner-file.js';
export { checkOutput, type ReadStudyOptions, readStudy, type Study, writeStudy } from './study.js';
export { version } from './version.js';
