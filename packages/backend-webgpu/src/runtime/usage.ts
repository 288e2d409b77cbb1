/** The bits of GPUBufferUsage and GPUMapMode. In Node these names are not globals. */
export const usage = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128, QUERY_RESOLVE: 512 } as const;

export const MAP_READ = 1;

/** The usage of buffers that kernels bind. */
export const DEVICE_MEMORY: number = usage.STORAGE | usage.COPY_SRC | usage.COPY_DST;
