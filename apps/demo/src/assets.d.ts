/** The type of imports with `?url`: the build gives the address of the file. */
declare module "*?url" {
  const url: string;
  export { url as default };
}
