export { TokenMetrics, type TokenMetricsResult } from "./token-metrics.ts";
export { classScores, type ClassCounts, type ClassScores } from "./class-scores.ts";
export { unigramEntropy } from "./unigram-entropy.ts";
export { averageRanks, spearman } from "./spearman.ts";
