import type { Layout } from './canvas2d';

const vertices = `#version 300 es
void main() {
  // One triangle that covers everything.
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}`;

/** Does for each pixel what [draw] does for it. */
const fragments = `#version 300 es
precision highp float;
precision highp int;
precision highp isampler2D;
precision highp usampler2D;
uniform int top;
uniform usampler2D tones; // (row, column)
uniform isampler2D x; // first and last column of each pixel
uniform isampler2D y; // first and last row of each line, from the top
uniform sampler2D table;
out vec4 colour;
void main() {
  ivec2 columns = texelFetch(x, ivec2(int(gl_FragCoord.x), 0), 0).rg;
  ivec2 rows = texelFetch(y, ivec2(top - int(gl_FragCoord.y), 0), 0).rg;
  uint strongest = 0u;
  if (columns.r >= 0 && rows.r >= 0) {
    for (int column = columns.r; column <= columns.g; column++) {
      for (int row = rows.r; row <= rows.g; row++) {
        strongest = max(strongest, texelFetch(tones, ivec2(row, column), 0).r);
      }
    }
  }
  colour = texelFetch(table, ivec2(int(strongest), 0), 0);
  colour.rgb *= colour.a;
}`;

/** What a renderer calls itself that draws on the processor. */
const software = /swiftshader|llvmpipe|softpipe|software|basic render/i;

/**
 * Paints pixels that a graphics processor computes, on a canvas of its own from
 * which they are drawn onto the canvas that is seen. So that one needs nothing
 * but a 2D context, and when the graphics processor is lost, which may happen
 * at any time, it can be painted otherwise at once; and one WebGL context, of
 * which a browser allows a few, serves all canvases of a thread.
 *
 * Tones come as bytes, made by the processor: it is a table look-up for each
 * cell, and makes sure that both painters say the same.
 */
export class WebGL2 {
  private readonly most: number;
  private readonly top: WebGLUniformLocation | null;
  private readonly textures: WebGLTexture[];

  private constructor(
    private readonly gl: WebGL2RenderingContext,
    program: WebGLProgram
  ) {
    this.most = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    gl.useProgram(program);
    this.top = gl.getUniformLocation(program, 'top');
    this.textures = ['tones', 'x', 'y', 'table'].map((name, unit) => {
      gl.uniform1i(gl.getUniformLocation(program, name), unit);
      gl.activeTexture(gl.TEXTURE0 + unit);
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
        gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
      }
      return texture;
    });
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  /** Opens it; undefined where there is no WebGL 2, or only one that draws on the processor, which Canvas2D does faster. */
  static open(evenSoftware: boolean): WebGL2 | undefined {
    if (typeof OffscreenCanvas === 'undefined') {
      return undefined;
    }
    const gl = new OffscreenCanvas(1, 1).getContext('webgl2', {
      antialias: false,
      depth: false,
      failIfMajorPerformanceCaveat: !evenSoftware,
    });
    if (!gl) {
      return undefined;
    }
    const info = gl.getExtension('WEBGL_debug_renderer_info');
    const renderer = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
    const program = evenSoftware || !software.test(renderer) ? link(gl) : undefined;
    if (!program) {
      gl.getExtension('WEBGL_lose_context')?.loseContext();
      return undefined;
    }
    return new WebGL2(gl, program);
  }

  get isLost() {
    return this.gl.isContextLost();
  }

  /** Calls back when the graphics processor was lost: what was drawn by it may not be seen. It returns how to be no more called. */
  onLost(callback: () => void): () => void {
    this.gl.canvas.addEventListener('webglcontextlost', callback);
    return () => this.gl.canvas.removeEventListener('webglcontextlost', callback);
  }

  /** Paints on a canvas of the layout's size; false when it is lost, or the picture is too large for it. */
  paint(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, layout: Layout): boolean {
    const { gl, most } = this;
    const { tones, rows, x, y, table } = layout;
    const columns = rows === 0 ? 0 : tones.length / rows;
    const width = x.first.length;
    const height = y.first.length;
    if (Math.max(rows, columns, width, height) > most) {
      return false;
    }
    const { canvas } = gl;
    if (canvas.width < width || canvas.height < height) {
      canvas.width = Math.max(canvas.width, width);
      canvas.height = Math.max(canvas.height, height);
    }
    gl.viewport(0, canvas.height - height, width, height);
    gl.uniform1i(this.top, canvas.height - 1);
    const bytes = new Uint8Array(table.buffer, table.byteOffset, table.byteLength);
    // A texture has at least one texel; that of no cells is not looked at.
    this.fill(0, gl.R8UI, Math.max(1, rows), Math.max(1, columns), gl.RED_INTEGER, columns > 0 ? tones : null);
    this.fill(1, gl.RG32I, width, 1, gl.RG_INTEGER, pairs(x));
    this.fill(2, gl.RG32I, height, 1, gl.RG_INTEGER, pairs(y));
    this.fill(3, gl.RGBA8, table.length, 1, gl.RGBA, bytes);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    context.globalCompositeOperation = 'copy';
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0, width, height, 0, 0, width, height);
    return !this.isLost;
  }

  private fill(
    unit: number,
    inner: number,
    width: number,
    height: number,
    format: number,
    texels: Uint8Array | Int32Array | null
  ) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, this.textures[unit]);
    const type = texels instanceof Int32Array ? gl.INT : gl.UNSIGNED_BYTE;
    gl.texImage2D(gl.TEXTURE_2D, 0, inner, width, height, 0, format, type, texels);
  }
}

function pairs({ first, last }: Layout['x']): Int32Array {
  const pairs = new Int32Array(2 * first.length);
  for (let pixel = 0; pixel < first.length; pixel++) {
    pairs[2 * pixel] = first[pixel];
    pairs[2 * pixel + 1] = last[pixel];
  }
  return pairs;
}

function link(gl: WebGL2RenderingContext): WebGLProgram | undefined {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, vertices],
    [gl.FRAGMENT_SHADER, fragments],
  ] as const) {
    const shader = gl.createShader(type);
    if (!shader) {
      return undefined; // It is lost already.
    }
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : undefined;
}

let shared: WebGL2 | undefined;
let isTried = false;

/** The one of this thread. There is none after it was lost: who loses it once may do so again. */
export function sharedWebGL2(evenSoftware: boolean): WebGL2 | undefined {
  if (!isTried) {
    isTried = true;
    shared = WebGL2.open(evenSoftware);
  }
  return shared?.isLost ? undefined : shared;
}
