/** @file  The public API. It runs in Node and in browsers; what needs files or threads is in `coincide/node`.
 *
 *    import { cosine, ddim, last, osem, phantom } from 'coincide';
 *    import { openEngine, reconstruct } from 'coincide/node';
 */

// Arrays, images, errors, random numbers, iteration
export { array, fill, type NdArray, type Point, type Shape3, type Volume } from './core/array.js';
export { type ByteSource, memorySource } from './core/bytes.js';
export { CoincideError, DeviceError, FormatError, GeometryError, ModelError, OptionError, ShapeError } from './core/errors.js';
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
export { noiseLevel } from './denoise/noise-level.js';
export { type NonlocalMeansOptions, nonlocalMeans } from './denoise/nonlocal-means.js';
export { type OpenModel, openModel } from './denoise/open-model.js';
export { coveringShape, resample, resampledDenoiser } from './denoise/resample.js';
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
export { parseScanner, type Scanner } from './geometry/scanner.js';
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
export { type DicomSeries, type ReadDicomOptions, readDicomSeries } from './io/dicom-series.js';
export { type WriteDicomOptions, writeDicomSeries } from './io/dicom-write.js';
export { readInterfileImage, writeInterfileImage } from './io/interfile-image.js';
export { readInterfileLayout, readInterfileProjData, writeInterfileProjData } from './io/interfile-projdata.js';
export { histogramMmr } from './io/mmr-histogram.js';
export { mmrEvents, readMmrListModeHeader } from './io/mmr-listmode.js';
export { readNifti, writeNifti } from './io/nifti.js';
export { readNiftiFrames, writeNiftiFrames } from './io/nifti-frames.js';
export { readNpz, writeNpz } from './io/npz.js';
export { estimateRandoms } from './io/randoms.js';
export { readSafetensors, writeSafetensors } from './io/safetensors.js';
export { type SuvFactor, type SuvFacts, suvFactor } from './io/suv.js';
// Metrics
export { type CoverageOptions, intervalCoverage } from './metrics/coverage.js';
export { interiorLabels, type LesionOptions, type LesionRecovery, lesionRecovery } from './metrics/lesions.js';
export { imageError } from './metrics/psnr.js';
export { contrastRecovery, regionBias, regionStatistics } from './metrics/regions.js';
export { ssim } from './metrics/ssim.js';
// Networks
export { type GuidedCard, parseGuidedCard } from './network/guided-card.js';
export type { GuidedDiffusion } from './network/guided-diffusion.js';
export { inferGuidedDiffusion, type KeyReport } from './network/infer-guided-diffusion.js';
export { initialLora, type Lora, type LoraOptions, loraOf, mergeLora, namedLora } from './network/lora.js';
export { type CommonCard, flatParameters, type Model, type ModelCard, parseModelCard } from './network/model-card.js';
export { initialParameters, parameterCount } from './network/parameters.js';
export type { AdaptedEvaluator, Evaluator, GraphRunner, GuidedEvaluator, Trainer } from './network/runner.js';
export type { Architecture } from './network/unet.js';
export { evaluateGraph, externalGradientGraph, loraGraph, loraTrainGraph, trainGraph } from './network/unet-graphs.js';
// Priors: classical penalties, and the diffusion prior
export { type BowsherOptions, bowsher } from './prior/bowsher.js';
export { type DdimOptions, type DdimStep, ddim } from './prior/ddim.js';
export { type DdpmOptions, type DdpmStep, ddpm, type NoisePrediction, type PredictNoise } from './prior/ddpm.js';
export { type DpmSolverStep, dpmSolver2m } from './prior/dpm-solver.js';
export { gaussianDenoiser } from './prior/gaussian-denoiser.js';
export type { Neighbourhood, PairOptions } from './prior/neighbours.js';
export { precondition, scaledDenoiser } from './prior/precondition.js';
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
export { adjointError } from './projector/adjoint-error.js';
export { compose, diagonal } from './projector/compose.js';
export { localCpuEngine } from './projector/cpu/local-pool.js';
export { type ProjectorEngine, referenceEngine } from './projector/engine.js';
export { eventLines } from './projector/event-ends.js';
export { isSoftwareAdapter } from './projector/gpu/adapter.js';
export { openGpuEngine } from './projector/gpu/engine.js';
export { josephProjector, type LineTof } from './projector/joseph.js';
export { type ListModeSubset, listModeModel, listModeProjector } from './projector/list-mode.js';
export { type Plan, type ProbedSpeed, plan, probeSpeed, secondsPerIteration } from './projector/plan.js';
export { gaussianPsf } from './projector/psf.js';
export { siddonProjector, siddonSinogramProjector } from './projector/siddon.js';
export { attenuationFactors, systemModel } from './projector/system-model.js';
// Reconstruction
export { type BsremOptions, bsrem } from './recon/bsrem.js';
export { type HqsOptions, type HqsStep, hqs } from './recon/hqs.js';
export { deviance, expectedDeviance, negLogLikelihood } from './recon/likelihood.js';
export { type MapEmOptions, mapEm } from './recon/map-em.js';
export { type OsemOptions, type OsemStep, osem, uniformStart } from './recon/osem.js';
export { kappa, kktResidual } from './recon/penalised.js';
export { type PoissonProx, type PoissonProxOptions, poissonProx, positiveRoot } from './recon/poisson-prox.js';
export { type ResidentOsemStep, residentOsem, residentProx, residentStart } from './recon/resident.js';
export { type SvrgOptions, svrg } from './recon/svrg.js';
// Simulation
export { type Acquisition, acquire } from './simulate/acquisition.js';
export { type Phantom, type PhantomKind, type PhantomOptions, phantom } from './simulate/phantom.js';
export { thin } from './simulate/thin.js';
// Training
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
export { parseTrainingConfig, type TrainingConfig } from './train/config.js';
export { type TrainStep, train } from './train/loop.js';
