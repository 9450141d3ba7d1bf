/** Does what [ScriptInk.blur] does, on a graphics processor: each pass is a function, in the order of their names here. */
export const blurProgram = /* wgsl */ `
struct Shape {
  stride: u32,
  columns: u32,
  radius: u32,
  drops: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> taps: array<f32>;
@group(0) @binding(2) var<storage, read> cells: array<u32>;
@group(0) @binding(3) var<storage, read> weights: array<f32>;
// Floats, as bits: WGSL has no atomic ones.
@group(0) @binding(4) var<storage, read_write> bins: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> blurred: array<f32>;
@group(0) @binding(6) var<storage, read_write> field: array<f32>;

@compute @workgroup_size(256)
fn count(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= shape.drops) {
    return;
  }
  let bin = cells[id.x] + shape.radius * shape.stride + shape.radius;
  var before = atomicLoad(&bins[bin]);
  loop {
    let sum = bitcast<u32>(bitcast<f32>(before) + weights[id.x]);
    let put = atomicCompareExchangeWeak(&bins[bin], before, sum);
    if (put.exchanged) {
      break;
    }
    before = put.old_value;
  }
}

@compute @workgroup_size(256)
fn blurUp(@builtin(global_invocation_id) id: vec3<u32>) {
  let length = shape.columns * shape.stride;
  if (id.x >= length) {
    return;
  }
  var sum = 0.0;
  for (var tap = 0u; tap <= 2u * shape.radius; tap++) {
    // An address before the first is a great one: it has no sign.
    let at = id.x + tap - shape.radius;
    if (at < length) {
      sum += bitcast<f32>(atomicLoad(&bins[at])) * taps[tap];
    }
  }
  blurred[id.x] = sum;
}

@compute @workgroup_size(256)
fn blurAcross(@builtin(global_invocation_id) id: vec3<u32>) {
  let length = shape.columns * shape.stride;
  if (id.x >= length) {
    return;
  }
  var sum = 0.0;
  for (var tap = 0u; tap <= 2u * shape.radius; tap++) {
    let at = id.x + tap * shape.stride - shape.radius * shape.stride;
    if (at < length) {
      sum += blurred[at] * taps[tap];
    }
  }
  field[id.x] = sum;
}`;
