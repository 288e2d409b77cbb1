/** A canvas that shows a matrix as coloured cells. The pointer or the arrow keys choose a cell to read. */
import { h, say } from "./dom.ts";

export interface Grid {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
  /** Maps a value to a share of the colour scale: -1 (colour "below") to 1 (colour "above"). */
  readonly scale: (value: number) => number;
  /** The text for a cell. */
  readonly words: (row: number, column: number, value: number) => string;
}

type Colour = readonly [red: number, green: number, blue: number];

export class GridCanvas {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly #readout: HTMLElement;
  readonly #hint: string;
  #grid: Grid | undefined;
  #at: readonly [row: number, column: number] = [0, 0];

  constructor(label: string, hint: string) {
    this.#hint = hint;
    this.#readout = h("output", { class: "readout" }, hint);
    this.canvas = h("canvas", {
      class: "grid-canvas",
      tabindex: 0,
      role: "img",
      "aria-label": `${label}. Use the arrow keys to read it.`,
      width: 1,
      height: 1,
      onkeydown: (event) => this.#key(event as KeyboardEvent),
      onpointermove: (event) => this.#point(event as PointerEvent),
    });
    this.element = h("div", { class: "grid-box" }, this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
  }

  get readout(): HTMLElement {
    return this.#readout;
  }

  show(grid: Grid | undefined): void {
    this.#grid = grid;
    this.#paint();
    if (grid === undefined) say(this.#readout, this.#hint);
  }

  #paint(): void {
    const grid = this.#grid;
    const { canvas } = this;
    const context = canvas.getContext("2d");
    if (context === null) return;
    canvas.width = grid?.columns ?? 1;
    canvas.height = grid?.rows ?? 1;
    if (grid === undefined) return;
    const [ground, above, below] = (["--cell-ground", "--cell-above", "--cell-below"] as const).map((name) =>
      colourOf(canvas, name),
    ) as [Colour, Colour, Colour];
    const image = context.createImageData(grid.columns, grid.rows);
    grid.values.forEach((value, at) => {
      const share = Math.max(-1, Math.min(1, grid.scale(value)));
      const to = share < 0 ? below : above;
      const amount = Math.abs(share);
      for (let c = 0; c < 3; c++)
        image.data[at * 4 + c] = (ground[c] as number) + ((to[c] as number) - (ground[c] as number)) * amount;
      image.data[at * 4 + 3] = 255;
    });
    context.putImageData(image, 0, 0);
  }

  #key(event: KeyboardEvent): void {
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const move = moves[event.key];
    const grid = this.#grid;
    if (move === undefined || grid === undefined) return;
    event.preventDefault();
    this.#say(
      Math.max(0, Math.min(grid.rows - 1, this.#at[0] + move[0])),
      Math.max(0, Math.min(grid.columns - 1, this.#at[1] + move[1])),
    );
  }

  #point(event: PointerEvent): void {
    const grid = this.#grid;
    const box = this.canvas.getBoundingClientRect();
    if (grid === undefined) return;
    this.#say(
      Math.min(grid.rows - 1, Math.floor(((event.clientY - box.top) / box.height) * grid.rows)),
      Math.min(grid.columns - 1, Math.floor(((event.clientX - box.left) / box.width) * grid.columns)),
    );
  }

  #say(row: number, column: number): void {
    const grid = this.#grid;
    if (grid === undefined || row < 0 || column < 0) return;
    this.#at = [row, column];
    say(this.#readout, grid.words(row, column, grid.values[row * grid.columns + column] as number));
  }
}

/** The colour of a custom property as numbers. (A canvas does not understand `light-dark()`.) */
function colourOf(element: HTMLElement, property: string): Colour {
  const probe = h("span", { style: `color: var(${property})` });
  element.parentElement?.append(probe);
  const [red = 0, green = 0, blue = 0] = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).map(Number);
  probe.remove();
  return [red, green, blue];
}
