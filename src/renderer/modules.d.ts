// What .config/worker-loader.mjs makes of a worker.
declare module '*?worker' {
  /** The bundled worker, to be started from a blob. */
  export const source: string;
  /** Where the bundled worker lies as a file. */
  export const url: string;
}
