/**
 * Scope: the place where a model declares its parameters. A scope is a place in the checkpoint:
 * `scope.at("query").param("weight", …)` is the tensor `….query.weight`. So the code of a model reads like its
 * checkpoint.
 *
 * One name is one parameter. A second call with the same shape gives the same tensor (tied weights, a second pass over
 * the same layer). With another shape it is an error. A scope computes nothing: a parameter is an input of the graph.
 */
import { ConfigError } from "@cloze/errors";
import { sameShape, showShape, sizeOf, type Graph, type Shape, type Tensor } from "@cloze/graph";
import { hashString } from "@cloze/random";
import type { Init } from "./init.ts";

/**
 * What a parameter is: a table of embeddings; a matrix of a layer; a matrix of a head, which makes the model's answer;
 * a vector (a bias, a gain, a scalar).
 */
export type ParameterKind = "table" | "matrix" | "head" | "vector";

export interface Parameter {
  /** Its key in a checkpoint. */
  readonly name: string;
  readonly shape: Shape;
  readonly init: Init;
  readonly kind: ParameterKind;
  /** 0 for the embeddings, 1, 2, … for the layers; absent for everything above the layers. */
  readonly depth?: number;
  /** Number of matrices of equal size that the parameter holds one below the other (q, k and v in one). Default 1. */
  readonly stacked?: number;
  readonly tensor: Tensor<"f32">;
}

/** The declaration of a parameter. */
export interface ParameterSpec extends Pick<Parameter, "init" | "stacked"> {
  /** Default: a vector below rank 2, else a matrix of the scope's place: of a layer, or of a head. */
  readonly kind?: ParameterKind;
}

/** The place of a scope in the model. Scopes inside have the same place. */
export interface Place {
  /** 0 for the embeddings, i + 1 for layer i. */
  readonly depth?: number;
  /** The scope is a head: its matrices are neither tables nor matrices of layers. */
  readonly head?: true;
}

export interface ScopeOptions {
  /** The prefix of all names, e.g. "generator". Default "". */
  readonly path?: string;
  /** Present when training. Without it there is no dropout. */
  readonly random?: Randomness;
}

export interface Randomness {
  /**
   * The key of dropout: u32 `[n, 2]`, a key for each of the n rows that the scope's tensors have. Or u32 `[2]`, one key
   * for all.
   */
  readonly key: Tensor<"u32">;
}

/** The place of a head. */
export const HEAD: Place = { head: true };

export class Scope {
  readonly graph: Graph;
  readonly path: string;
  readonly random: Randomness | undefined;
  readonly #parameters: Map<string, Parameter>;
  readonly #place: Place;

  /** Use `rootScope`; children come from `at`. */
  constructor(
    graph: Graph,
    path: string,
    parameters: Map<string, Parameter>,
    random: Randomness | undefined,
    place: Place = {},
  ) {
    this.graph = graph;
    this.path = path;
    this.random = random;
    this.#parameters = parameters;
    this.#place = place;
  }

  /** All parameters declared so far from any scope of this root, in the order of declaration. */
  get parameters(): ReadonlyMap<string, Parameter> {
    return this.#parameters;
  }

  /** The scope `name` in this one; "a.b" is `at("a").at("b")`. Its place in the model is this scope's, unless given. */
  at(name: string | number, place: Place = this.#place): Scope {
    return new Scope(this.graph, this.#join(name), this.#parameters, this.random, place);
  }

  /** The same scope with other randomness: for tensors with other rows (`slotScope`). */
  withRandom(random: Randomness | undefined): Scope {
    return new Scope(this.graph, this.path, this.#parameters, random, this.#place);
  }

  /** Declares a parameter, or finds the declared parameter of this name. */
  param(name: string, shape: Shape, { init, kind, stacked }: ParameterSpec): Tensor<"f32"> {
    const full = this.#join(name);
    const known = this.#parameters.get(full);
    if (known === undefined) {
      const tensor = this.graph.input(full, "f32", shape);
      const { head, depth } = this.#place;
      this.#parameters.set(full, {
        name: full,
        shape,
        init,
        kind: kind ?? (shape.length < 2 ? "vector" : head ? "head" : "matrix"),
        ...(depth !== undefined && { depth }),
        ...(stacked !== undefined && { stacked }),
        tensor,
      });
      return tensor;
    }
    if (!sameShape(known.shape, shape)) {
      throw new ConfigError(
        `parameter "${full}": expected the shape it was declared with, ${showShape(known.shape)}, got ` +
          `${showShape(shape)}. Two layers share this name; give one of them a scope of its own.`,
      );
    }
    return known.tensor;
  }

  /** Runs `build`. The nodes that `build` makes remember this scope as their layer. */
  within<T>(build: () => T): T {
    return this.graph.within(this.path, build);
  }

  /** The dropout stream number of this scope. It differs by scope, so every layer draws its own mask. */
  get stream(): number {
    return hashString(this.path);
  }

  #join(name: string | number): string {
    return this.path === "" ? String(name) : `${this.path}.${name}`;
  }
}

/** A scope over `graph` with no parameters yet. */
export function rootScope(graph: Graph, options: ScopeOptions = {}): Scope {
  return new Scope(graph, options.path ?? "", new Map(), options.random);
}

/** Number of elements over all parameters. */
export function countParameters(parameters: ReadonlyMap<string, { readonly shape: Shape }>): number {
  return [...parameters.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
