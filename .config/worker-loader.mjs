// Bundles a module as a web worker, twice: as text, to be started from a blob,
// and as a file of its own, to be started from its address where a content
// security policy forbids blobs. The importing module gets
//
//   export const source: string   the bundled worker
//   export const url: string      its address under the public path
import path from 'node:path';

export function pitch() {
  const done = this.async();
  const { webpack } = this._compiler;
  const name = `${path.basename(path.dirname(this.resourcePath))}/${path.parse(this.resourcePath).name}.js`;
  const child = this._compilation.createChildCompiler(`worker ${name}`, { filename: name }, [
    new webpack.webworker.WebWorkerTemplatePlugin(),
    new webpack.EntryPlugin(this.context, this.resourcePath, { name: 'worker' }),
  ]);
  child.options.output = { ...child.options.output, library: undefined, globalObject: 'self' };
  // The text is taken before the parent writes its files, so the child minifies its own.
  child.hooks.compilation.tap('worker-loader', (compilation) => {
    compilation.hooks.afterProcessAssets.tap('worker-loader', (assets) => {
      // A blob has no place from which a source map could be found.
      child.text = assets[name]
        ?.source()
        .toString()
        .replace(/\n\/\/# sourceMappingURL=.*/, '');
    });
  });
  child.runAsChild((error, _entries, compilation) => {
    const failure = error ?? compilation.errors[0];
    if (failure || child.text === undefined) {
      done(failure ?? new Error(`bundling worker ${name} made no file`));
      return;
    }
    compilation.fileDependencies.forEach((file) => this.addDependency(file));
    done(
      null,
      `export const source = ${JSON.stringify(child.text)};\nexport const url = __webpack_public_path__ + ${JSON.stringify(name)};\n`
    );
  });
}

export default () => '';
