/** The public API of evaluation metrics: tokens, classes, label sets, numbers, entities, answers and a t-test. */
export { TokenMetrics, type TokenMetricsResult } from "./token-metrics.ts";
export { classScores, type ClassCounts, type ClassScores } from "./class-scores.ts";
export { unigramEntropy } from "./unigram-entropy.ts";
export { averageRanks, spearman } from "./spearman.ts";
export { oneSidedTTest, studentCdf, type TTest } from "./t-test.ts";
export { classReport, rocAuc, type ClassReport } from "./class-report.ts";
export { averagedScores, scoresOf, type AveragedScores, type Scores, type SupportedScores } from "./averaged-scores.ts";
export { multiLabelScores, type MultiLabelScores } from "./multi-label-scores.ts";
export { pearson, regressionScores, type RegressionScores } from "./regression-scores.ts";
export { entitiesOf, entityScores, type Entity, type EntityScores, type TagScheme } from "./entities.ts";
export { STRICT_SCHEMES, type StrictScheme } from "./tag-schemes.ts";
export {
  answerF1,
  normalizeAnswer,
  squadScores,
  type AnsweredQuestion,
  type AnswerScores,
  type SquadScores,
} from "./squad-scores.ts";
