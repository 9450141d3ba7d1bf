import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type GoRuntime, HeatProgram } from './program';

/** The program as it is now, built as for a browser; for tests. */
export function startBuilt(): Promise<HeatProgram> {
  const out = mkdtempSync(path.join(tmpdir(), 'gotherm-heat-'));
  try {
    const wasm = path.join(out, 'heat.wasm');
    const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
    execFileSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', wasm, './pkg/heat/replay'], {
      env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
    });
    createRequire(import.meta.url)(path.join(goroot, 'lib/wasm/wasm_exec.js'));
    const { Go } = globalThis as unknown as { Go: new () => GoRuntime };
    return HeatProgram.start(new Go(), readFileSync(wasm));
  } finally {
    rmSync(out, { recursive: true });
  }
}
