/**
 * The vocabulary as a trie over UTF-16 units. It finds the longest token at the start of a text, in one step per unit.
 *
 * Nodes are numbers. An edge is a slot of one open-addressing table with the key (node, unit). So 30,000 tokens take
 * about 3 MB and no objects. Pieces inside a word are ordinary paths: they begin at the node after `##`.
 */
export class VocabularyTrie {
  /** For each node the id of the token that ends there, or -1. */
  readonly ids: Int32Array;
  /** The node at which a word begins. */
  readonly root: number = 0;
  /** The node at which a piece inside a word begins; -1 where the vocabulary has no such piece. */
  readonly continuing: number;
  readonly #parents: Int32Array;
  readonly #units: Uint16Array;
  readonly #children: Int32Array;
  readonly #mask: number;

  /** @param tokens the model's tokens; the index is the id. */
  constructor(tokens: readonly string[], prefix: string) {
    const room = tokens.reduce((sum, token) => sum + token.length, 1);
    let slots = 16;
    while (slots < 2 * room) slots *= 2;
    this.#mask = slots - 1;
    this.#parents = new Int32Array(slots).fill(-1);
    this.#units = new Uint16Array(slots);
    this.#children = new Int32Array(slots);
    this.ids = new Int32Array(room).fill(-1);
    let nodes = 1;
    for (const [id, token] of tokens.entries()) {
      let node = this.root;
      for (let i = 0; i < token.length; i++) {
        const unit = token.charCodeAt(i);
        const slot = this.#slot(node, unit);
        if (this.#parents[slot] === -1) {
          this.#parents[slot] = node;
          this.#units[slot] = unit;
          this.#children[slot] = nodes++;
        }
        node = this.#children[slot] as number;
      }
      this.ids[node] = id;
    }
    let start = this.root;
    for (let i = 0; i < prefix.length && start >= 0; i++) start = this.next(start, prefix.charCodeAt(i));
    this.continuing = start;
  }

  /** The node that `unit` leads to from `node`, or -1. */
  next(node: number, unit: number): number {
    const slot = this.#slot(node, unit);
    return this.#parents[slot] === -1 ? -1 : (this.#children[slot] as number);
  }

  /** The slot of an edge, or the free slot for it. */
  #slot(node: number, unit: number): number {
    let slot = ((Math.imul(node, 0x9e3779b1) ^ Math.imul(unit + 1, 0x85ebca6b)) >>> 7) & this.#mask;
    while (this.#parents[slot] !== -1 && (this.#parents[slot] !== node || this.#units[slot] !== unit))
      slot = (slot + 1) & this.#mask;
    return slot;
  }
}
