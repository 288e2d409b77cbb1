export const quickstart = async (_: unknown): Promise<never> => { throw new Error("not yet"); };
