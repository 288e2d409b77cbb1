/**
 * Rows of an endless run by number. The rows are made window by window. The rows of epoch 1 follow the rows of epoch 0,
 * and no row is dropped.
 *
 * To find row r, the rows of all earlier windows are counted, once. Memory holds one number for each window of two
 * epochs, and the rows of the last few windows used. No draw depends on an earlier draw.
 */

export interface RowSource<R> {
  /** Windows in every epoch. */
  readonly windows: number;
  /** The rows of a window: a pure function of both numbers. */
  rowsOf(epoch: number, window: number): readonly R[];
}

export interface NumberedRow<R> {
  readonly epoch: number;
  /** Number of the row in its epoch. */
  readonly row: number;
  readonly content: R;
}

interface WindowRows<R> {
  readonly epoch: number;
  readonly window: number;
  readonly rows: readonly R[];
}

const EPOCHS_KEPT = 2;
const WINDOWS_KEPT = 4;

export class EpochRows<R> {
  readonly #source: RowSource<R>;
  /** The first row of each epoch whose earlier epochs are all counted. */
  readonly #firstRow: number[] = [0];
  /** By epoch: the number of rows before each window counted so far, and last the number of rows in all of them. */
  readonly #epochs = new Map<number, number[]>();
  readonly #recent: WindowRows<R>[] = [];

  constructor(source: RowSource<R>) {
    this.#source = source;
  }

  rowsIn(epoch: number): number {
    return this.firstRowOf(epoch + 1) - this.firstRowOf(epoch);
  }

  firstRowOf(epoch: number): number {
    while (this.#firstRow.length <= epoch) this.#finish(this.#firstRow.length - 1);
    return this.#firstRow[epoch] as number;
  }

  /** The row with this number in the run. */
  rowAt(number: number): NumberedRow<R> {
    const { epoch, row } = this.locate(number);
    const rowsBefore = this.#count(epoch);
    let low = 0;
    let high = rowsBefore.length - 1; // rowsBefore[low] <= row < rowsBefore[high]
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((rowsBefore[middle] as number) <= row) low = middle;
      else high = middle;
    }
    return { epoch, row, content: this.#window(epoch, low).rows[row - (rowsBefore[low] as number)] as R };
  }

  /** The epoch of a row, and the row's number in the epoch. */
  locate(number: number): { readonly epoch: number; readonly row: number } {
    let epoch = this.#firstRow.findLastIndex((first) => first <= number);
    for (;;) {
      const rowsBefore = this.#count(epoch);
      const row = number - (this.#firstRow[epoch] as number);
      while (row >= (rowsBefore.at(-1) as number) && rowsBefore.length <= this.#source.windows)
        this.#countWindow(epoch);
      if (row < (rowsBefore.at(-1) as number)) return { epoch, row };
      this.#finish(epoch++);
    }
  }

  #finish(epoch: number): void {
    const rowsBefore = this.#count(epoch);
    while (rowsBefore.length <= this.#source.windows) this.#countWindow(epoch);
    this.#firstRow[epoch + 1] = (this.#firstRow[epoch] as number) + (rowsBefore.at(-1) as number);
  }

  #count(epoch: number): number[] {
    const known = this.#epochs.get(epoch);
    if (known !== undefined) return known;
    if (this.#epochs.size >= EPOCHS_KEPT) this.#epochs.delete(Math.min(...this.#epochs.keys()));
    const fresh = [0];
    this.#epochs.set(epoch, fresh);
    return fresh;
  }

  #countWindow(epoch: number): void {
    const rowsBefore = this.#count(epoch);
    const { rows } = this.#window(epoch, rowsBefore.length - 1);
    rowsBefore.push((rowsBefore.at(-1) as number) + rows.length);
  }

  #window(epoch: number, window: number): WindowRows<R> {
    const known = this.#recent.find((w) => w.epoch === epoch && w.window === window);
    if (known !== undefined) return known;
    const fresh = { epoch, window, rows: this.#source.rowsOf(epoch, window) };
    this.#recent.push(fresh);
    if (this.#recent.length > WINDOWS_KEPT) this.#recent.shift();
    return fresh;
  }
}
