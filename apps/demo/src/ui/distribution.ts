/** A list of bars for probabilities, the most probable first. The truth is always shown, whatever its rank. */
import { h } from "./dom.ts";
import { percent } from "./format.ts";

export interface Candidate {
  readonly token: string;
  readonly probability: number;
}

export function bars(candidates: readonly Candidate[], shown: number, truth?: string): HTMLElement {
  const rank = candidates.findIndex(({ token }) => token === truth);
  const rows =
    rank < shown ? candidates.slice(0, shown) : [...candidates.slice(0, shown - 1), candidates[rank] as Candidate];
  return h(
    "ol",
    { class: "bars" },
    ...rows.map(({ token, probability }) =>
      h(
        "li",
        { class: token === truth ? "truth" : "" },
        h("span", { class: "token" }, token),
        h(
          "span",
          { class: "bar", "aria-hidden": "true" },
          h("span", { style: `inline-size: ${(probability * 100).toFixed(2)}%` }),
        ),
        h(
          "span",
          { class: "value" },
          percent(probability),
          token === truth ? h("span", { class: "truth-word" }, " truth") : undefined,
        ),
      ),
    ),
  );
}
