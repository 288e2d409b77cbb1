import { expect, test } from "vitest";
import { Lane } from "./lane.ts";
import { piecesOf } from "./session.ts";

/** A promise with the functions that settle it. */
function later<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
} {
  let settle: { resolve: (value: T) => void; reject: (error: Error) => void } | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, resolve: (value) => settle?.resolve(value), reject: (error) => settle?.reject(error) };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

test("two fly at once, a third waits; results come as they land; what fails keeps nobody", async () => {
  const lane = new Lane(2);
  const submitted: number[] = [];
  const landings = [0, 1, 2, 3].map(() => later<string>());
  const flights = landings.map(({ promise }, i) =>
    lane
      .fly(async () => {
        submitted.push(i);
        return { result: promise };
      })
      .catch((error: Error) => error.message),
  );
  const after = lane.next(async () => [...submitted]);
  await turn();
  expect([submitted, lane.idle]).toEqual([[0, 1], false]);
  landings[0]?.reject(new Error("lost"));
  await turn();
  expect(submitted).toEqual([0, 1, 2]);
  landings[2]?.resolve("third");
  await turn();
  expect(submitted).toEqual([0, 1, 2, 3]);
  expect(await after).toEqual([0, 1, 2, 3]); // its turn came after the last submission
  landings[1]?.resolve("second");
  landings[3]?.resolve("fourth");
  expect(await Promise.all(flights)).toEqual(["lost", "second", "third", "fourth"]);
  await turn();
  expect(lane.idle).toBe(true);
});

test("a turn that fails is told to who asked for it, and the next has its turn", async () => {
  const lane = new Lane(1);
  const failed = lane.next(() => Promise.reject(new Error("no")));
  const next = lane.next(async () => 2);
  await expect(failed).rejects.toThrow("no");
  expect(await next).toBe(2);
  await expect(lane.fly(() => Promise.reject(new Error("never sent")))).rejects.toThrow("never sent");
  expect(await lane.fly(async () => ({ result: Promise.resolve(3) }))).toBe(3);
});

test("what comes to the host comes in pieces of a limited size", () => {
  expect(piecesOf([4, 8, 20, 0, 4], 16)).toEqual([
    [
      { item: 0, start: 0, length: 4 },
      { item: 1, start: 0, length: 8 },
      { item: 2, start: 0, length: 4 },
    ],
    [{ item: 2, start: 4, length: 16 }],
    [{ item: 4, start: 0, length: 4 }],
  ]);
});
