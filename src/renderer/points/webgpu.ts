/// <reference types="@webgpu/types" />
import { blurProgram } from './blur.wgsl';
import type { Drops, Shape } from './ink';

const passes = ['count', 'blurUp', 'blurAcross'];
const groupSize = 256;

/**
 * Makes the ink of many drops on a graphics processor, by counting and
 * blurring. What it made is read back, so that it goes on as any other ink
 * does, and is painted as that is.
 */
export class GpuInk {
  private isLost = false;

  private constructor(
    private readonly device: GPUDevice,
    private readonly pipelines: GPUComputePipeline[],
    private readonly layout: GPUBindGroupLayout
  ) {
    void device.lost.then(() => (this.isLost = true));
  }

  /** Opens it; undefined where there is no WebGPU, or only one that computes on the processor, which SIMD does faster. */
  static async open(evenSoftware: boolean): Promise<GpuInk | undefined> {
    try {
      const adapter = await globalThis.navigator?.gpu?.requestAdapter();
      const info = adapter?.info as (GPUAdapterInfo & { isFallbackAdapter?: boolean }) | undefined;
      if (!adapter || (!evenSoftware && (info?.isFallbackAdapter ?? true))) {
        return undefined;
      }
      const device = await adapter.requestDevice();
      const module = device.createShaderModule({ code: blurProgram });
      const buffer = (binding: number, type: GPUBufferBindingType) => ({
        ...{ binding, buffer: { type } },
        visibility: GPUShaderStage.COMPUTE,
      });
      const layout = device.createBindGroupLayout({
        entries: [
          buffer(0, 'uniform'),
          ...[1, 2, 3].map((binding) => buffer(binding, 'read-only-storage')),
          ...[4, 5, 6].map((binding) => buffer(binding, 'storage')),
        ],
      });
      const all = device.createPipelineLayout({ bindGroupLayouts: [layout] });
      const pipelines = await Promise.all(
        passes.map((entryPoint) => device.createComputePipelineAsync({ layout: all, compute: { module, entryPoint } }))
      );
      return new GpuInk(device, pipelines, layout);
    } catch {
      return undefined;
    }
  }

  /** Whether it may still be asked. */
  get isThere() {
    return !this.isLost;
  }

  /** The ink of drops, as long as the columns of the shape are. It fails when the graphics processor is lost, or has no room. */
  async blur({ cells, weights }: Drops, shape: Shape): Promise<Float32Array<ArrayBuffer>> {
    const { device } = this;
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const length = shape.columns * shape.stride;
    const made: GPUBuffer[] = [];
    const make = (
      size: number,
      usage: number,
      content?: Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>
    ) => {
      const buffer = device.createBuffer({ size: Math.max(16, size), usage: usage | COPY_DST });
      made.push(buffer);
      if (content) {
        device.queue.writeBuffer(buffer, 0, content);
      }
      return buffer;
    };
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    try {
      const header = Uint32Array.of(shape.stride, shape.columns, shape.radius, cells.length);
      const field = make(4 * length, STORAGE | COPY_SRC);
      const buffers = [
        make(header.byteLength, UNIFORM, header),
        make(shape.taps.byteLength, STORAGE, shape.taps),
        make(cells.byteLength, STORAGE, cells),
        make(weights.byteLength, STORAGE, weights),
        make(4 * length, STORAGE),
        make(4 * length, STORAGE),
        field,
      ];
      const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
      const group = device.createBindGroup({ layout: this.layout, entries });
      const read = device.createBuffer({ size: 4 * length, usage: MAP_READ | COPY_DST });
      made.push(read);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setBindGroup(0, group);
      this.pipelines.forEach((pipeline, i) => {
        pass.setPipeline(pipeline);
        pass.dispatchWorkgroups(Math.ceil((i === 0 ? cells.length : length) / groupSize));
      });
      pass.end();
      encoder.copyBufferToBuffer(field, 0, read, 0, 4 * length);
      device.queue.submit([encoder.finish()]);
      const problems = Promise.all([device.popErrorScope(), device.popErrorScope()]);
      await read.mapAsync(GPUMapMode.READ);
      const problem = (await problems).find(Boolean);
      if (problem) {
        throw new Error(`blur ${cells.length} points on the graphics processor: ${problem.message}`);
      }
      return new Float32Array(read.getMappedRange().slice(0));
    } finally {
      made.forEach((buffer) => buffer.destroy());
    }
  }

  /** For tests: loses it. */
  destroy() {
    this.device.destroy();
  }
}

let shared: Promise<GpuInk | undefined> | undefined;

/** The one of this thread. */
export const sharedGpu = (evenSoftware: boolean) => (shared ??= GpuInk.open(evenSoftware));
