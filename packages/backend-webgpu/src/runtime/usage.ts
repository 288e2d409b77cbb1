/** The bits of GPUBufferUsage and GPUMapMode: in Node their names are not globals. */
export const usage = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128, QUERY_RESOLVE: 512 } as const;

export const MAP_READ = 1;

/** What a buffer that kernels bind may be used for. */
export const DEVICE_MEMORY: number = usage.STORAGE | usage.COPY_SRC | usage.COPY_DST;
