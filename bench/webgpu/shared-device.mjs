// One Dawn device for several engines. `navigator.gpu` gives all of them the same GPUDevice. For each engine it counts
// dispatches, submits, pipelines, and the bytes of live buffers.
import { create, globals } from "webgpu";

/** Sets the WebGPU globals and `navigator`; call it once a process. `toggles` are Dawn's: `enable-dawn-features=…`. */
export async function sharedDevice({ toggles = [] } = {}) {
  Object.assign(globalThis, globals);
  const gpu = create(toggles);
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null)
    throw new Error(
      "bench: expected a WebGPU adapter, got none. Install a Vulkan driver, or name one in VK_DRIVER_FILES.",
    );
  const requiredLimits = {};
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(adapter.limits)))
    if (typeof adapter.limits[name] === "number") requiredLimits[name] = adapter.limits[name];
  // Timestamps are not requested, because an engine with timestamps may time every kernel of every step.
  const requiredFeatures = ["shader-f16", "subgroups"].filter((name) => adapter.features.has(name));
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  device.addEventListener("uncapturederror", ({ error }) => {
    throw new Error(`WebGPU: ${error.message}`);
  });
  // The adapter for the engines. Its requestDevice returns the shared device.
  const adapterFor = new Proxy(adapter, {
    get(target, key) {
      if (key === "requestDevice") return async () => device;
      const value = target[key];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const counts = counted();
  // `dawn` keeps the instance alive. Without the instance the device ends, and the process crashes.
  const shared = { dawn: gpu, requestAdapter: async () => adapterFor, getPreferredCanvasFormat: () => "bgra8unorm" };
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { userAgent: "node", gpu: shared } });
  const { description, vendor, architecture, device: name } = adapter.info;
  return {
    gpu,
    adapter,
    device,
    counts,
    describe: [vendor, architecture, name, description].filter((word) => word !== "").join(" "),
  };
}

/** Wraps the methods that have a cost. `counts.owner = name` names the engine that later calls count for. */
function counted() {
  const accounts = new Map();
  const owners = new WeakMap();
  const counts = {
    owner: "setup",
    of: (name) => {
      if (!accounts.has(name)) accounts.set(name, { dispatches: 0, submits: 0, pipelines: 0, bytes: 0, peakBytes: 0 });
      return accounts.get(name);
    },
  };
  const wrap = (type, method, before) => {
    const original = globals[type].prototype[method];
    globals[type].prototype[method] = function (...args) {
      const result = original.apply(this, args);
      before.call(this, counts.of(counts.owner), args, result);
      return result;
    };
  };
  for (const method of ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"])
    wrap("GPUComputePassEncoder", method, (c) => {
      c.dispatches++;
    });
  for (const method of ["createComputePipeline", "createComputePipelineAsync"])
    wrap("GPUDevice", method, (c) => {
      c.pipelines++;
    });
  wrap("GPUQueue", "submit", (c) => {
    c.submits++;
  });
  wrap("GPUDevice", "createBuffer", (c, [{ size }], buffer) => {
    owners.set(buffer, { account: c, size });
    c.bytes += size;
    c.peakBytes = Math.max(c.peakBytes, c.bytes);
  });
  wrap("GPUBuffer", "destroy", function () {
    const held = owners.get(this);
    if (held !== undefined) held.account.bytes -= held.size;
    owners.delete(this);
  });
  return counts;
}
