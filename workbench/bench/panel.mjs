// Measures our renderer beside the technique of Grafana's own heatmap: the same
// cells, one browser, one run, taking turns. Prints "name value" lines. Ratios
// carry over between machines; times do not.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bundle, launch } from './bundle.mjs';

const out = mkdtempSync(path.join(tmpdir(), 'gotherm-bench-'));
/** Clock ticks of /proc in a second: a constant of Linux. */
const ticks = 100;

const print = (name, value, digits = 1) => console.log(`${name} ${value.toFixed(digits)}`);
const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1];

/** All processes that a process has started, and those that they have. */
function descendants(pid) {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return [[Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])]];
      } catch {
        return []; // It has ended since.
      }
    });
  const of = (parent) => parents.filter(([, its]) => its === parent).flatMap(([child]) => [child, ...of(child)]);
  return of(pid);
}

/** CPU time of the browser's processes, in seconds. */
function cpu() {
  let sum = 0;
  for (const pid of descendants(process.pid)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      sum += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It has ended since.
    }
  }
  return sum / ticks;
}

/** Memory of the page's process and of the GPU process, in MiB. What is shared is shared out. */
function memory() {
  let kib = 0;
  for (const pid of descendants(process.pid)) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (/--type=(renderer|gpu-process)/.test(command)) {
        kib += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]);
      }
    } catch {
      // It has ended since.
    }
  }
  return kib / 1024;
}

/** The longest task of the page's main thread in a trace, in milliseconds, and the share of time that it was busy. */
function mainThread(trace) {
  const { traceEvents } = JSON.parse(trace.toString());
  const names = traceEvents.filter((e) => e.name === 'thread_name' && e.args.name === 'CrRendererMain');
  const tasks = traceEvents.filter(
    (e) => e.name === 'RunTask' && e.ph === 'X' && names.some((n) => n.pid === e.pid && n.tid === e.tid)
  );
  if (tasks.length === 0) {
    throw new Error('the trace has no tasks of a main thread');
  }
  // The page under test is the one that does most.
  const busy = new Map();
  for (const { pid, dur } of tasks) {
    busy.set(pid, (busy.get(pid) ?? 0) + dur);
  }
  const [pid, most] = [...busy].toSorted((a, b) => b[1] - a[1])[0];
  const own = tasks.filter((task) => task.pid === pid);
  const from = Math.min(...own.map(({ ts }) => ts));
  const to = Math.max(...own.map(({ ts, dur }) => ts + dur));
  return { longest: Math.max(...own.map(({ dur }) => dur)) / 1000, busy: most / (to - from) };
}

/** A page of its own, in a process of its own, for each measurement. */
async function withPage(browser, way, columns, rows, measure) {
  const page = await browser.newPage();
  try {
    await page.addScriptTag({ path: path.join(out, 'bench.js') });
    await page.evaluate(([w, c, r]) => globalThis.bench.begin(w, c, r), [way, columns, rows]);
    return await measure(page);
  } finally {
    await page.close();
  }
}

/** Redraws a second, and CPU seconds for each. */
async function uncapped(browser, way, columns, rows) {
  return withPage(browser, way, columns, rows, async (page) => {
    const before = cpu();
    const [n, seconds] = await page.evaluate(() => globalThis.bench.uncapped(2000, 3));
    return { rate: n / seconds, cpu: (cpu() - before) / n };
  });
}

/** What ten updates a second do to the page. */
async function live(browser, way, columns, rows) {
  return withPage(browser, way, columns, rows, async (page) => {
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, memory())), 200);
    await browser.startTracing(page, {
      categories: ['toplevel', 'devtools.timeline', 'disabled-by-default-devtools.timeline'],
    });
    const rate = await page.evaluate(() => globalThis.bench.live(6000));
    const trace = await browser.stopTracing();
    clearInterval(watch);
    return { rate, peak, ...mainThread(trace) };
  });
}

/** What points that come live do to a page that draws them in some way. */
async function livePoints(browser, way) {
  const page = await browser.newPage();
  try {
    await page.addScriptTag({ path: path.join(out, 'bench.js') });
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, memory())), 200);
    await browser.startTracing(page, {
      categories: ['toplevel', 'devtools.timeline', 'disabled-by-default-devtools.timeline'],
    });
    const rate = await page.evaluate((w) => globalThis.bench.points.live(w, 10_000, 5000), way);
    const trace = await browser.stopTracing();
    const inspector = await page.context().newCDPSession(page);
    await inspector.send('Performance.enable');
    const { metrics } = await inspector.send('Performance.getMetrics');
    const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize').value / 2 ** 20;
    clearInterval(watch);
    return { rate, peak, heap, ...mainThread(trace) };
  } finally {
    await page.close();
  }
}

/** Live points: 10,000 a second, each seen for a second; and as many drawn anew each time. */
async function comparePoints(browser) {
  for (const way of ['sprites', 'paths', 'ours']) {
    const suffix = way === 'ours' ? '' : `_${way}`;
    const { rate, peak, heap, busy, longest } = await livePoints(browser, way);
    print(`fps_live_10k${suffix}`, rate);
    print(`live_10k_main_thread_busy${suffix}`, busy, 3);
    print(`live_10k_longest_main_task_ms${suffix}`, longest);
    print(`live_10k_memory_mib${suffix}`, peak);
    print(`live_10k_heap_mib${suffix}`, heap);
  }
  const page = await browser.newPage();
  try {
    await page.addScriptTag({ path: path.join(out, 'bench.js') });
    for (const way of ['sprites', 'paths', 'script', 'simd']) {
      print(
        `points_10k_redraws_per_s_${way}`,
        await page.evaluate((w) => globalThis.bench.points.redraws(w, 2000), way)
      );
    }
    const splats = await page.evaluate(() => globalThis.bench.points.splats());
    Object.entries(splats).forEach(([name, value]) => print(name, value));
  } finally {
    await page.close();
  }
}

const rounds = Number(process.env.GOTHERM_BENCH_ROUNDS ?? 3);

async function compare(browser, columns, rows, name, ways) {
  const all = { core: [], ...Object.fromEntries(ways.map((way) => [way, []])) };
  for (let round = 0; round < rounds; round++) {
    for (const way of Object.keys(all)) {
      all[way].push(await uncapped(browser, way, columns, rows));
    }
  }
  const of = (way, what) => median(all[way].map((one) => one[what]));
  print(`redraws_per_s_core_${name}`, of('core', 'rate'), 2);
  for (const way of ways) {
    print(`redraws_per_s_${way}_${name}`, of(way, 'rate'));
    // By canvas2d is what a machine without a graphics processor has: the plain names are its.
    const suffix = way === 'canvas2d' ? name : `${way}_${name}`;
    print(`redraw_speedup_${suffix}`, of(way, 'rate') / of('core', 'rate'));
    print(`redraw_cpu_ratio_${suffix}`, of('core', 'cpu') / of(way, 'cpu'));
  }
}

try {
  await bundle('page.ts', out);
  let browser = await launch();
  try {
    await compare(browser, 100, 60, '6k', ['canvas2d']);
    await compare(browser, 1000, 256, '256k', ['canvas2d', 'worker']);
    await compare(browser, 1024, 1024, '1m', ['canvas2d', 'worker']);
    const core = await live(browser, 'core', 1000, 256);
    const ours = await live(browser, 'worker', 1000, 256);
    print('live_256k_core_updates_per_s', core.rate);
    print('live_256k_updates_per_s', ours.rate);
    print('longest_main_task_core_ms', core.longest);
    print('longest_main_task_ms', ours.longest);
    print('main_thread_busy_core', core.busy, 3);
    print('main_thread_busy', ours.busy, 3);
    print('renderer_memory_core_mib', core.peak);
    print('renderer_memory_mib', ours.peak);
    print('renderer_memory_ratio_256k', ours.peak / core.peak, 2);
    await comparePoints(browser);
    print(
      'fps_1m',
      await withPage(browser, 'worker', 1024, 1024, (page) => page.evaluate(() => globalThis.bench.capped(4000)))
    );
  } finally {
    await browser.close();
  }
  // WebGL2 in software: slower than Canvas2D, which is why it is not chosen there. It is here to be seen.
  browser = await launch('--enable-unsafe-swiftshader');
  try {
    await compare(browser, 1000, 256, '256k_swiftshader', ['webgl2']);
  } finally {
    await browser.close();
  }
} finally {
  rmSync(out, { recursive: true });
}
