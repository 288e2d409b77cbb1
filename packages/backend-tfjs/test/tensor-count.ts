/** The number of live tensors in the TensorFlow.js that all kinds share in Node. */
export async function tensorCount(): Promise<number> {
  const tf = await import("@tensorflow/tfjs");
  return tf.memory().numTensors;
}
