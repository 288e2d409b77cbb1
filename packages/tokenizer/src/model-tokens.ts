/**
 * The tokens of a model (WordPiece, BPE, WordLevel) before tokens are added: an id for each token, perhaps with ids in
 * between that have no token.
 */
export interface ModelTokens {
  /** The id of each token. No token is empty. */
  readonly ids: ReadonlyMap<string, number>;
  /**
   * Number of different tokens, with the empty one. Python gives this id to the first token that is added. It is less
   * than the largest id + 1 where ids have no token.
   */
  readonly count: number;
}

/** The tokens of pairs. Of two pairs with the same token, the later one counts, as in Python. */
export function modelTokens(pairs: Iterable<readonly [token: string, id: number]>): ModelTokens {
  const ids = new Map(pairs);
  const count = ids.size;
  ids.delete("");
  return { ids, count };
}

/** The tokens of the lines of a vocab.txt. */
export function tokensOfLines(lines: readonly string[]): ModelTokens {
  return modelTokens(lines.map((token, id) => [token, id] as const));
}

/**
 * The tokens by id. An id without a token gets a name that no text has: `[unused7]`, with another number where that is
 * a token.
 */
export function tokensById(ids: ReadonlyMap<string, number>): string[] {
  let last = -1;
  for (const id of ids.values()) last = Math.max(last, id);
  const byId: (string | undefined)[] = Array.from({ length: last + 1 });
  for (const [token, id] of ids) byId[id] = token;
  let unused = last;
  return byId.map((token, id) => {
    let name = token ?? `[unused${id}]`;
    while (token === undefined && ids.has(name)) name = `[unused${++unused}]`;
    return name;
  });
}
