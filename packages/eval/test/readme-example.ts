import { spearman, TokenMetrics, unigramEntropy } from "@cloze/eval";

// Amino acids, say: four classes, and the true class of the masked positions of two batches.
const metrics = new TokenMetrics(4);
metrics.add([0, 1, 2, 2], [0, 1, 2, 1], 3.2, 4); // targets, predictions, summed loss, summed weight
metrics.add([3, -100], [3, 0], 0.4, 1); // -100: a position without a label
const { loss, perplexity, accuracy, f1, mcc } = metrics.result();

console.log(loss.toFixed(3), perplexity.toFixed(3)); // => 0.720 2.054
console.log(accuracy.toFixed(3), f1.toFixed(3), mcc.toFixed(3)); // => 0.800 0.800 0.778
console.log(unigramEntropy([25, 25, 25, 25]).toFixed(3)); // => 1.386
console.log(spearman([0.1, 0.4, 0.2], [1, 3, 2])); // => 1
