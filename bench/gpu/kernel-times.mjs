// What each kernel of a run takes, by timestamp queries. While it is on, every dispatch gets a pass of its own, so that the device
// stamps its beginning and end: times of single kernels are right, their sum lacks what overlaps and has what passes cost.
const SLOTS = 4096; // timestamps of one query set

/** `kernelTimes(device, globals)` wraps what encoders do; `await times(run)` gives rows { name, count, ms, share }, longest first. */
export function kernelTimes(device, { GPUCommandEncoder, GPUDevice }) {
  if (!device.features.has("timestamp-query")) return undefined;
  const names = new WeakMap();
  let open;
  const original = GPUCommandEncoder.prototype.beginComputePass;
  for (const method of ["createComputePipeline", "createComputePipelineAsync"]) {
    const make = GPUDevice.prototype[method];
    GPUDevice.prototype[method] = function (descriptor) {
      const made = make.call(this, descriptor), note = (pipeline) => { names.set(pipeline, descriptor.label ?? "?"); return pipeline; };
      return made instanceof Promise ? made.then(note) : note(made);
    };
  }
  GPUCommandEncoder.prototype.beginComputePass = function (descriptor) {
    if (open === undefined) return original.call(this, descriptor);
    const encoder = this, now = { pipeline: undefined, groups: [] };
    return {
      setPipeline(pipeline) { now.pipeline = pipeline; },
      setBindGroup(index, ...rest) { now.groups[index] = rest; },
      dispatchWorkgroups(...grid) {
        const at = open.names.length * 2, set = Math.floor(at / SLOTS);
        open.sets[set] ??= device.createQuerySet({ type: "timestamp", count: SLOTS });
        open.names.push(names.get(now.pipeline) ?? "?");
        const pass = original.call(encoder, { timestampWrites: { querySet: open.sets[set], beginningOfPassWriteIndex: at % SLOTS, endOfPassWriteIndex: (at % SLOTS) + 1 } });
        pass.setPipeline(now.pipeline);
        now.groups.forEach((rest, index) => pass.setBindGroup(index, ...rest));
        pass.dispatchWorkgroups(...grid);
        pass.end();
      },
      end() {},
    };
  };
  return async (run) => {
    open = { names: [], sets: [] };
    const { names: order, sets } = open;
    await run();
    open = undefined;
    await device.queue.onSubmittedWorkDone();
    const stamps = [];
    for (const querySet of sets) stamps.push(...await stampsOf(device, querySet));
    const rows = new Map();
    order.forEach((name, i) => {
      const kernel = name.replace(/ \(.*$/s, ""), row = rows.get(kernel) ?? { name: kernel, count: 0, ms: 0, longestMs: 0, longest: "" };
      const ms = Math.max(0, Number(stamps[2 * i + 1] - stamps[2 * i])) / 1e6;
      row.count++;
      row.ms += ms;
      if (ms >= row.longestMs) Object.assign(row, { longestMs: ms, longest: name });
      rows.set(kernel, row);
    });
    const all = [...rows.values()].sort((a, b) => b.ms - a.ms), total = all.reduce((sum, { ms }) => sum + ms, 0);
    return { totalMs: total, dispatches: order.length, kernels: all.slice(0, 15).map((row) => ({ ...row, share: row.ms / total })) };
  };
}

async function stampsOf(device, querySet) {
  const bytes = querySet.count * 8, resolved = device.createBuffer({ size: bytes, usage: 0x200 | 0x4 }), back = device.createBuffer({ size: bytes, usage: 0x1 | 0x8 });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(querySet, 0, querySet.count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, back, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await back.mapAsync(1);
  const stamps = [...new BigUint64Array(back.getMappedRange())];
  for (const buffer of [resolved, back]) buffer.destroy();
  querySet.destroy();
  return stamps;
}
