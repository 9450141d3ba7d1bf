// What .config/go-loader.mjs makes of a Go program.
declare module '*?go' {
  /** Runs the program. */
  export const Go: new () => import('./program').GoRuntime;
  /** Where the program lies as a file. */
  export const url: string;
}
