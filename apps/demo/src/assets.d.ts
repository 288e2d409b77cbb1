/** Files that the build gives the address of. */
declare module "*?url" {
  const url: string;
  export { url as default };
}
