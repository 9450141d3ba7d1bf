// The whole street, as a user has it: a shop under load, an agent that watches
// it, and the workbench with the data source's real back end.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const out = path.join(root, 'workbench/e2e/out');
mkdirSync(out, { recursive: true });

/** Who the shop says it is, so that its release can be looked for. */
export const service = 'shop';
export const version = '1.4.0-e2e';

const built = {
  shop: 'bin/shop',
  load: 'bin/shop-load',
  agent: 'bin/gotherm-agent',
  workbench: 'bin/workbench',
  plugin: 'dist/datasource/gpx_gotherm_runtime_linux_amd64',
  frontend: 'dist/module.js',
  page: 'workbench/dist19/index.html',
};

/** Fails with what to do when something was not built. */
export function needBuilt() {
  const missing = Object.values(built).filter((file) => !existsSync(path.join(root, file)));
  if (missing.length > 0) {
    throw new Error(`not built: ${missing.join(', ')}. Run go tool mage build`);
  }
  if (process.getuid() !== 0) {
    throw new Error('the browser tests watch a real process with eBPF: run them as root');
  }
}

const running = new Set();

/** Starts a program whose output goes to out/<name>.log. */
function start(name, file, args, env = {}) {
  const log = openSync(path.join(out, `${name}.log`), 'w');
  const child = spawn(path.join(root, file), args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
  });
  running.add(child);
  child.on('exit', () => running.delete(child));
  return child;
}

export async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(10_000).then(() => child.kill('SIGKILL'))]);
}

export const stopAll = () => Promise.all([...running].reverse().map(stop));

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Waits until `check` gives something true, and gives it. */
export async function until(what, check, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  let problem;
  while (Date.now() < end) {
    try {
      const found = await check();
      if (found) {
        return found;
      }
      problem = undefined;
    } catch (error) {
      problem = error;
    }
    await sleep(200);
  }
  throw new Error(`waited ${seconds} s for ${what}`, { cause: problem });
}

const answers = (url) => until(`${url} to answer`, async () => (await fetch(url)).ok);

/** Starts a shop under load: of another version, on a port of one's own, with more in its environment. */
export async function startShop({ runs = version, port, env = {} } = {}) {
  const metrics = await freePort();
  port ??= await freePort();
  const url = `http://127.0.0.1:${port}`;
  const shop = start(
    `shop ${runs}`,
    built.shop,
    ['--listen', `127.0.0.1:${port}`, '--metrics-listen', `127.0.0.1:${metrics}`],
    {
      OTEL_SERVICE_NAME: service,
      OTEL_RESOURCE_ATTRIBUTES: `service.version=${runs}`,
      ...env,
    }
  );
  await answers(`${url}/version`);
  start(`load ${runs}`, built.load, ['--url', url, '--rate', '200']);
  return shop;
}

/** Starts an agent that watches a process, or whatever listens on a list of ports. */
export async function startAgent(watched, port) {
  const selection = Array.isArray(watched) ? ['--port', watched.join(',')] : ['--pid', String(watched.pid)];
  const url = `http://127.0.0.1:${port ?? (await freePort())}`;
  const agent = start('agent', built.agent, [
    ...['run', '--listen', new URL(url).host, ...selection],
    // What is looked at here is what is drawn: on a slow machine the usual budget would shed it.
    ...['--budget', '50%'],
  ]);
  await answers(`${url}/healthz`);
  return { url, agent };
}

/** Waits until the agent has counted hits of a measurement point. */
export function firstHeat(agent, pom) {
  return until(`the first hits of ${pom}`, async () => {
    const { accounting = [] } = await call(agent, 'GetAgent', {});
    return accounting.some((account) => account.pom === pom && Number(account.hits) > 0);
  });
}

/** Asks the agent's own API. */
export async function call(agent, method, request) {
  const response = await fetch(`${agent}/gotherm.v1.AgentService/${method}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(request),
  });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(`${method}: ${answer.message}`);
  }
  return answer;
}

/** Starts the workbench with the page of a React version, and the dashboards in a folder. */
export async function startWorkbench(agent, react, dashboards = 'provisioning/dashboards') {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const workbench = start(`workbench${react}`, built.workbench, [
    '--agent', agent,
    '--listen', `127.0.0.1:${port}`,
    '--plugin', built.plugin,
    '--page', `workbench/dist${react}`,
    '--dashboards', dashboards,
  ]); // prettier-ignore
  await answers(`${url}/api/health`);
  return { url, workbench };
}
