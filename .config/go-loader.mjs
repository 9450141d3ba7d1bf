// Compiles a Go program for the browser. The importing module gets
//
//   export const Go: new () => GoRuntime   what runs it: wasm_exec.js of the Go that compiled it
//   export const url: string               the program's address under the public path
//
// wasm_exec.js expects to own the page's globals. It is given some of its own instead.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const go = promisify(execFile);

export async function pitch() {
  const done = this.async();
  const folder = path.dirname(this.resourcePath);
  try {
    const env = { ...process.env, GOOS: 'js', GOARCH: 'wasm' };
    const list = ['list', '-deps', '-f', '{{if not .Standard}}{{.Dir}}{{end}}', '.'];
    const { stdout: sources } = await go('go', list, { cwd: folder, env });
    sources
      .split('\n')
      .filter(Boolean)
      .forEach((source) => this.addContextDependency(source));

    const { stdout: goroot } = await go('go', ['env', 'GOROOT'], { cwd: folder });
    const exec = await readFile(path.join(goroot.trim(), 'lib/wasm/wasm_exec.js'), 'utf8');
    // Of wasm_exec.js, and of what is in the program of Go's library.
    const licence = await readFile(path.join(goroot.trim(), 'LICENSE'), 'utf8');
    this._module.buildInfo.licence = { of: 'Go', text: licence };

    const out = await mkdtemp(path.join(tmpdir(), 'gotherm-go-'));
    const file = path.join(out, 'program.wasm');
    await go('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', file, '.'], { cwd: folder, env });
    const wasm = await readFile(file);
    await rm(out, { recursive: true });

    const hash = createHash('sha256').update(wasm).digest('hex').slice(0, 12);
    const name = `${path.basename(path.dirname(folder))}/${path.basename(folder)}.${hash}.wasm`;
    this.emitFile(name, wasm);
    done(
      null,
      // Whose wasm_exec.js is: said so that it is not minified away.
      `/*!
${/^(\/\/.*\n)+/.exec(exec)[0]}*/
const own = {};
const globals = new Proxy(own, { get: (_, name) => (name in own ? own[name] : globalThis[name]) });
const files = new Proxy({}, { get: (_, name) => own.fs[name] });
((globalThis, fs) => {
${exec}
})(globals, files);
export const Go = own.Go;
export const url = __webpack_public_path__ + ${JSON.stringify(name)};
`
    );
  } catch (error) {
    done(error);
  }
}

export default () => '';
