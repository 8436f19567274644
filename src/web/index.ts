/** @file  `coincide/web`: networks in pages and their workers, by onnxruntime-web. All else that a page needs is in `coincide`. */
export { openWebModel, type WebModel, type WebModelOptions } from './web-model.js';
export type { WebRuntime, WebSession } from './web-session.js';
