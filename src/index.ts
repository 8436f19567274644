/** @file  The public API. It runs in Node and in browsers; what needs files or threads is in `coincide/node`.
 *
 *    import { cosine, ddim, last, osem, phantom } from 'coincide';
 *    import { openEngine, reconstruct } from 'coincide/node';
 */

// Arrays, images, errors, random numbers, iteration
export { array, fill, type NdArray, type Point, type Shape3, type Volume } from './core/array.js';
export { type ByteSource, memorySource } from './core/bytes.js';
export {
  CoincideError,
  DeviceError,
  type Fault,
  FormatError,
  GeometryError,
  ModelError,
  OptionError,
  ShapeError,
} from './core/errors.js';
export { affineOf, centredGrid, type Grid, type PetImage, petImage, type Unit } from './core/image.js';
export type {
  Denoiser,
  LinearOperator,
  Penalty,
  PoissonSubset,
  Prox,
  ProxOptions,
  ResidentImage,
  ResidentModel,
  SeparablePenalty,
} from './core/interfaces.js';
export { type CallOptions, last, type Step, turn } from './core/iterate.js';
export { noiseField, type Random, random } from './core/random.js';
// Volume in, volume out
export { type Denoised, type DenoiseOptions, denoiseVolume, type SamplingUsed } from './denoise/denoise-volume.js';
export { gaussianFilter } from './denoise/gaussian.js';
export { type GuidedModel, guidedModel } from './denoise/guided-model.js';
export { type MeanImageOptions, type MeanUsed, meanImage } from './denoise/mean-image.js';
export { noiseLevel } from './denoise/noise-level.js';
export { type NonlocalMeansOptions, nonlocalMeans } from './denoise/nonlocal-means.js';
export {
  type Given,
  type Looks,
  type OpenModel,
  openModel,
  type Passage,
  type PassageInTime,
  type SamplingDefaults,
} from './denoise/open-model.js';
export { coveringShape, resample, resampledDenoiser, type Sampling } from './denoise/resample.js';
export { type Measured, unlike } from './denoise/unlike.js';
export { denoiseYu2025, type Yu2025Options, type Yu2025Result } from './denoise/yu2025.js';
// Scanners, sinograms, lines of response
export { type BinValues, quotient, separable } from './geometry/bin-values.js';
export { type EventList, type ListMode, listedBins, listMode } from './geometry/event-list.js';
export { binsOfEvents, type CoincidenceEvents } from './geometry/events.js';
export { fromWorld, type PatientPosition, toWorld } from './geometry/frame.js';
export { defaultGrid, fieldOfViewMask, type GridOptions } from './geometry/grid.js';
export { type Lines, linesOf } from './geometry/lines.js';
export { checkedScan, type ListModeScan, type Scan } from './geometry/scan.js';
export { type AxialBlocks, type FlatBlocks, parseScanner, type Scanner, type ScannerTof } from './geometry/scanner.js';
export { findScanner, scannerByName, scanners } from './geometry/scanners.js';
export {
  type LayoutOptions,
  type Segment,
  type Sinogram,
  type SinogramLayout,
  sinogramLayout,
  sinogramShape,
} from './geometry/sinogram.js';
export { orderedSubsets } from './geometry/subsets.js';
// Files as bytes
export { type BidsPet, bidsSuv } from './io/bids.js';
export { type Checkpoint, type CheckpointTensor, openCheckpoint } from './io/checkpoint.js';
export type { DicomFile } from './io/dicom-file.js';
export { type DicomSeries, type DicomSlice, type ReadDicomOptions, readDicomSeries } from './io/dicom-series.js';
export type { Vector } from './io/dicom-stack.js';
export { type WriteDicomOptions, writeDicomSeries } from './io/dicom-write.js';
export type { Exam } from './io/interfile-exam.js';
export {
  type InterfileImage,
  type InterfileImageOptions,
  readInterfileImage,
  writeInterfileImage,
} from './io/interfile-image.js';
export {
  type InterfileLayout,
  type InterfileProjData,
  type InterfileProjDataOptions,
  readInterfileLayout,
  readInterfileProjData,
  writeInterfileProjData,
} from './io/interfile-projdata.js';
export { type Counts, type Histogram, type HistogramOptions, histogramMmr } from './io/mmr-histogram.js';
export { type MmrEventOptions, type MmrListModeHeader, mmrEvents, readMmrListModeHeader } from './io/mmr-listmode.js';
export { type ReadNiftiOptions, readNifti, type WriteNiftiOptions, writeNifti } from './io/nifti.js';
export type { Turn } from './io/nifti-affine.js';
export { readNiftiFrames, writeNiftiFrames } from './io/nifti-frames.js';
export { readNpz, writeNpz } from './io/npz.js';
export { estimateRandoms } from './io/randoms.js';
export { readSafetensors, type Safetensors, writeSafetensors } from './io/safetensors.js';
export { type SuvFactor, type SuvFacts, suvFactor } from './io/suv.js';
// Metrics
export { type CoverageOptions, intervalCoverage } from './metrics/coverage.js';
export { interiorLabels, type LesionOptions, type LesionRecovery, lesionRecovery } from './metrics/lesions.js';
export { type ErrorOptions, type ImageError, imageError } from './metrics/psnr.js';
export {
  type ContrastOptions,
  contrastRecovery,
  type RegionBias,
  type RegionStatistics,
  regionBias,
  regionStatistics,
} from './metrics/regions.js';
export { type SsimOptions, ssim } from './metrics/ssim.js';
// Networks
export type { AttentionOrder } from './network/attention.js';
export type { DiscriminatorWidths } from './network/discriminator.js';
export type { Knowledge } from './network/features.js';
export type { Program } from './network/graph.js';
export { type GuidedCard, parseGuidedCard } from './network/guided-card.js';
export type { GuidedDiffusion } from './network/guided-diffusion.js';
export type { EvaluationPlan } from './network/guided-plan.js';
export type { StreamingOptions } from './network/guided-streaming.js';
export { type Inferred, inferGuidedDiffusion, type KeyReport, type Shapes } from './network/infer-guided-diffusion.js';
export { initialLora, type Lora, type LoraOptions, loraOf, mergeLora, namedLora } from './network/lora.js';
export { type CommonCard, flatParameters, type Model, type ModelCard, parseModelCard } from './network/model-card.js';
export type { TensorInfo } from './network/onnx.js';
export { initialParameters, parameterCount } from './network/parameters.js';
export type { Activations } from './network/quantise.js';
export type {
  AdaptedEvaluator,
  Evaluator,
  GraphRunner,
  GuidedEvaluator,
  LossGradient,
  Tensors,
  TrainBatch,
  Trainer,
} from './network/runner.js';
export type { Architecture } from './network/unet.js';
export {
  type Adapted,
  type Adversary,
  evaluateGraph,
  externalGradientGraph,
  loraGraph,
  loraTrainGraph,
  trainGraph,
} from './network/unet-graphs.js';
// Priors: classical penalties, and the diffusion prior
export { type BowsherOptions, bowsher } from './prior/bowsher.js';
export { type DdimOptions, type DdimStep, ddim } from './prior/ddim.js';
export { type DdpmOptions, type DdpmStep, ddpm, type NoisePrediction, type PredictNoise } from './prior/ddpm.js';
export { type DpmSolverStep, dpmSolver2m } from './prior/dpm-solver.js';
export { gaussianDenoiser } from './prior/gaussian-denoiser.js';
export { faceNeighbours, type Neighbourhood, type PairOptions } from './prior/neighbours.js';
export {
  type Parameterisation,
  type PreconditionOptions,
  type Predict,
  precondition,
  scaledDenoiser,
} from './prior/precondition.js';
export { quadratic } from './prior/quadratic.js';
export { type RdpOptions, rdp, rdpEpsilon } from './prior/rdp.js';
export {
  cosine,
  discrete,
  linearAlphaBar,
  type PosteriorTable,
  posteriorTable,
  type Schedule,
  sigmaLadder,
  spacedTimesteps,
} from './prior/schedule.js';
export { torchNoise } from './prior/torch-noise.js';
// Projectors and the system model
export { type AdjointErrorOptions, adjointError } from './projector/adjoint-error.js';
export { compose, diagonal } from './projector/compose.js';
export { localCpuEngine } from './projector/cpu/local-pool.js';
export { type ProjectorEngine, type ResidentModelOptions, referenceEngine } from './projector/engine.js';
export { eventLines } from './projector/event-ends.js';
export { isSoftwareAdapter } from './projector/gpu/adapter.js';
export type { GpuAdapterInfo } from './projector/gpu/device.js';
export { openGpuEngine } from './projector/gpu/engine.js';
export type { GpuProvider } from './projector/gpu/gpu-js-context.js';
export type { GpuMemoryOptions } from './projector/gpu/resident.js';
export type { SinogramKernelOptions } from './projector/gpu/sinogram.js';
export { josephProjector, type LineTof } from './projector/joseph.js';
export { type ListModeSubset, type ListModeTerms, listModeModel, listModeProjector } from './projector/list-mode.js';
export { type Plan, type ProbedSpeed, plan, probeSpeed, secondsPerIteration } from './projector/plan.js';
export { gaussianPsf } from './projector/psf.js';
export { type SubRayOptions, siddonProjector, siddonSinogramProjector } from './projector/siddon.js';
export { type AttenuationMap, attenuationFactors, type SystemModelOptions, systemModel } from './projector/system-model.js';
// Reconstruction
export { type BsremOptions, bsrem } from './recon/bsrem.js';
export { type AdaptableDenoiser, type DdipOptions, type DdipProgress, type DdipStep, ddip } from './recon/ddip.js';
export { type DdsStepOptions, ddsStep } from './recon/dds-step.js';
export { type HeldOutOptions, holdOut } from './recon/held-out.js';
export { type HqsOptions, type HqsStep, hqs, type NoiseRule } from './recon/hqs.js';
export {
  type Deviance,
  deviance,
  eventLikelihood,
  expectedDeviance,
  type MeanDeviance,
  negLogLikelihood,
} from './recon/likelihood.js';
export { type MapEmOptions, mapEm } from './recon/map-em.js';
export { type OsemOptions, type OsemStep, osem, uniformStart } from './recon/osem.js';
export { kappa, kktResidual } from './recon/penalised.js';
export { type PoissonProx, type PoissonProxOptions, poissonProx, positiveRoot } from './recon/poisson-prox.js';
export { type ResidentOsemStep, residentOsem, residentProx, residentStart } from './recon/resident.js';
export { type SvrgOptions, svrg } from './recon/svrg.js';
// Simulation
export { type Acquired, type Acquisition, acquire, type ExpectedScan } from './simulate/acquisition.js';
export { type Phantom, type PhantomKind, type PhantomOptions, phantom } from './simulate/phantom.js';
export { type ThinOptions, thin } from './simulate/thin.js';
export type { Tracer } from './simulate/tissues.js';
// Training
export type { AdamState } from './train/adam.js';
export {
  type Draw,
  type Group,
  type Recipe,
  type RecipeScan,
  recipeOf,
  recipeScan,
  type SimulatedSubject,
  simulateRecipe,
  simulateSubject,
  subjectSeed,
} from './train/cohort.js';
export type { CohortConfig } from './train/cohort-config.js';
export {
  type GanConfig,
  type NetworkConfig,
  type NetworkKind,
  parseTrainingConfig,
  type TrainingConfig,
} from './train/config.js';
export { architectureOf, type Pace, type TrainOptions, type TrainStep, train } from './train/loop.js';
export type { Region } from './train/regions.js';
export { type Subject, type SubjectSource, type SubjectVolume, sourceOf } from './train/subject.js';
