/** A trace: an empty graph with one input for each feed, and the scope in which models declare their parameters. */
import { Graph, program, type Program, type ProgramParts, type Tensor, type TensorType } from "@cloze/graph";
import { rootScope, type Scope } from "./scope.ts";

/** The types of a program's feeds, by name. Each different set of types needs its own program. */
export type FeedTypes = Readonly<Record<string, TensorType>>;

export interface Trace {
  readonly graph: Graph;
  readonly scope: Scope;
  /** One input for each feed. */
  readonly feeds: Readonly<Record<string, Tensor>>;
}

/** The feed of the dropout keys, u32 `[rows, 2]` or `[2]`. A trace that has this feed has dropout. */
export const RANDOM_KEY = "random.key";

/** Begins a trace over feeds of these types. */
export function openTrace(types: FeedTypes): Trace {
  const graph = new Graph();
  const feeds: Record<string, Tensor> = {};
  for (const [name, { dtype, shape }] of Object.entries(types)) feeds[name] = graph.input(name, dtype, shape);
  const key = feeds[RANDOM_KEY] as Tensor<"u32"> | undefined;
  return { graph, feeds, scope: rootScope(graph, key && { random: { key } }) };
}

/**
 * The program of a trace. Its state is every parameter that the scope has, and `parts.state`. Its feeds are all feeds
 * of the trace, unless `parts` names others.
 */
export function programOf(
  { graph, scope, feeds }: Pick<Trace, "graph" | "scope" | "feeds">,
  parts: Omit<ProgramParts, "state"> & Partial<Pick<ProgramParts, "state">>,
): Program {
  const parameters = [...scope.parameters.values()].map((p) => p.tensor);
  return program(graph, { feeds: Object.values(feeds), ...parts, state: [...parameters, ...(parts.state ?? [])] });
}
