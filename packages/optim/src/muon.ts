/**
 * Muon: orthogonalised momentum. It trains the matrices of hidden layers; embeddings, heads and vectors go to another
 * optimizer (see `byParameter`).
 *
 *   m <- mu m + (1 - mu) g        u = mu m + (1 - mu) g (Nesterov), or m        O = orthogonalise(u)
 *   p <- p - lr sqrt(max(1, rows / columns)) O - lr decay p
 *
 * Options: Polar Express instead of the fixed coefficients. NorMuon, which divides each row of O by the root of the
 * running mean of its squares and then restores the norm of O. Cautious decay, which decays an element only where the
 * decay has the direction of the step. A parameter that holds several matrices one below the other (q, k and v in one)
 * has each matrix orthogonalised alone.
 *
 * State: `muon.m.<parameter>`, and with NorMuon `muon.v.<parameter>` [rows, 1]. Feeds, f32 `[]`: `muon.lr`,
 * `muon.momentum`. Sources: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; Li et al.
 * 2025, arXiv:2510.05491 (NorMuon); Amsel et al. 2025, arXiv:2505.16932 (Polar Express); Chen et al. 2025,
 * arXiv:2510.12402 (cautious decay).
 */
import { ConfigError } from "@cloze/errors";
import { newtonSchulz, polarExpress, type Tensor } from "@cloze/graph";
import { atStep, linearSchedule, type Scheduled } from "@cloze/schedule";
import { checkUpdate } from "./adam-options.ts";
import { decayOf } from "./decay.ts";
import { factsOf, hostScalar, type Optimizer } from "./optimizer.ts";
import type { ParameterFacts } from "./parameter.ts";
import { groupOf, type ParameterGroup } from "./parameter-group.ts";

export interface MuonOptions {
  /** May change over the run. Default: from 0.85 to 0.95 over 300 updates. */
  readonly momentum?: Scheduled<number>;
  /** Default true. */
  readonly nesterov?: boolean;
  /** Default "newton-schulz". */
  readonly orthogonalise?: "newton-schulz" | "polar-express";
  /** Steps of the orthogonalisation. Default 5. */
  readonly steps?: number;
  /** Decay of the mean squares of rows, for NorMuon. Default: none. */
  readonly rowBeta?: number;
  /** May change over the run. Default 0. Not with `groups`. */
  readonly weightDecay?: Scheduled<number>;
  /** Decay an element only where the decay has the direction of the step. Default false. */
  readonly cautious?: boolean;
  /** Parameter groups of the caller, instead of `weightDecay`. */
  readonly groups?: readonly ParameterGroup[];
  /**
   * Parameters that hold `parts` matrices of equal size one below the other, by a regular expression over the name.
   * Default: as each parameter says of itself (`stacked`).
   */
  readonly split?: readonly { readonly name: string; readonly parts: number }[];
}

const EPS = 1e-10;

/** The optimizer. Its `update` throws ConfigError for a parameter that is not a matrix. */
export function muon(options: MuonOptions = {}): Optimizer {
  const {
    momentum = { 0: 0.85, 300: 0.95 },
    nesterov = true,
    orthogonalise = "newton-schulz",
    steps = 5,
    rowBeta,
    cautious = false,
    split = [],
  } = options;
  const share = (x: number): boolean => x >= 0 && x < 1;
  const mus = linearSchedule(momentum, { where: "muon: momentum", check: share, expected: "a number in [0, 1)" });
  if (!share(rowBeta ?? 0)) throw new ConfigError(`muon: expected rowBeta in [0, 1), got ${rowBeta}.`);
  const decays = decayOf("muon", options.groups, options.weightDecay, {
    groups: (weightDecay) => [{ weightDecay }],
    usual: 0,
  });
  const orthogonal = (x: Tensor<"f32">): Tensor<"f32"> =>
    orthogonalise === "polar-express" ? polarExpress(x, steps) : newtonSchulz(x, steps);

  return {
    name: "muon",
    stateNames: (parameters) =>
      [...parameters].flatMap(({ name }) => [`muon.m.${name}`, ...(rowBeta === undefined ? [] : [`muon.v.${name}`])]),

    trains: (parameter) => groupOf(decays.groups, parameter).frozen !== true,

    update({ graph, parameters, gradients, gradScale }) {
      const lr = graph.input("muon.lr", "f32", []);
      const mu = graph.input("muon.momentum", "f32", []);
      const state: Tensor<"f32">[] = [];
      const updates: Record<string, Tensor<"f32">> = {};
      for (const [name, parameter] of parameters) {
        const { tensor: p } = parameter;
        const facts = factsOf(name, parameter);
        const raw = gradients.get(name);
        if (raw === undefined) continue;
        const parts = partsOf(facts, split);
        const group = groupOf(decays.groups, facts);
        const { lrScale = 1 } = group;
        const decay = decays.of(graph, group);
        const m = graph.input(`muon.m.${name}`, "f32", p.shape);
        const rows = p.shape[0] as number;
        const columns = p.shape[1] as number;
        state.push(m);
        graph.within(`muon.${name}`, () => {
          const g = raw.mul(gradScale);
          const next = m.mul(mu).add(g.mul(mu.neg().add(1)));
          const u = nesterov ? next.mul(mu).add(g.mul(mu.neg().add(1))) : next;
          let o = stacked(
            Array.from({ length: parts }, (_, i) =>
              orthogonal(parts === 1 ? u : u.slice(0, (i * rows) / parts, ((i + 1) * rows) / parts)),
            ),
          );
          updates[`muon.m.${name}`] = next;
          if (rowBeta !== undefined) {
            const v = graph.input(`muon.v.${name}`, "f32", [rows, 1]);
            const squares = v.mul(rowBeta).add(
              o
                .square()
                .mean(1, true)
                .mul(1 - rowBeta),
            );
            const even = o.div(squares.sqrt().add(EPS));
            o = even.mul(o.square().sum().sqrt().div(even.square().sum().sqrt().add(EPS)));
            state.push(v);
            updates[`muon.v.${name}`] = squares;
          }
          const rate = lrScale === 1 ? lr : lr.mul(lrScale);
          const step = o.mul(rate.mul(Math.sqrt(Math.max(1, rows / parts / columns))));
          const kept =
            decay === 0 ? p : p.sub((cautious ? o.mul(p).less(0).not().select(p, 0) : p).mul(rate.mul(decay)));
          updates[name] = kept.sub(step);
        });
      }
      return { state, updates };
    },

    hostScalars(t, lr, progress = atStep(t - 1)) {
      checkUpdate("muon", t);
      return {
        "muon.lr": hostScalar(lr),
        "muon.momentum": hostScalar(mus.at(progress)),
        ...decays.scalars(t, progress),
      };
    },
  };
}

function partsOf({ name, shape, stacked: own = 1 }: ParameterFacts, split: NonNullable<MuonOptions["split"]>): number {
  if (shape.length !== 2)
    throw new ConfigError(
      `muon: expected a matrix, got "${name}" [${shape.join(", ")}]. Give it to another optimizer with byParameter.`,
    );
  const parts = split.find((rule) => new RegExp(rule.name).test(name))?.parts ?? own;
  if (!(Number.isInteger(parts) && parts >= 1 && (shape[0] as number) % parts === 0))
    throw new ConfigError(
      `muon: expected "${name}" [${shape.join(", ")}] to be of ${parts} equal parts one below the other. Mend split.`,
    );
  return parts;
}

function stacked([first, ...rest]: readonly Tensor<"f32">[]): Tensor<"f32"> {
  if (first === undefined) throw new ConfigError("muon: expected at least one part, got none.");
  return rest.length === 0 ? first : first.concat(rest, 0);
}
