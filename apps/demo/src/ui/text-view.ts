/** The view of a text by the model: the pieces of the text in the vocabulary, and predictions for masks. */
import { bars } from "./distribution.ts";
import { h } from "./dom.ts";
import type { Notice } from "./notice.ts";
import type { Ask } from "./protein-view.ts";

const BARS = 6;
const WAIT_MS = 150;

export class TextView {
  readonly element: HTMLElement;
  readonly #ask: Ask;
  readonly #notice: Notice;
  readonly #text = h(
    "textarea",
    { id: "pieces-text", rows: 2, oninput: () => this.#later() },
    "A single man of good fortune was walking towards Netherfield.",
  );
  readonly #pieces = h("p", { class: "pieces", "aria-live": "polite" });
  readonly #masked = h("input", { id: "fill-text", type: "text", value: "She was a very agreeable [MASK]." });
  readonly #fill: HTMLButtonElement;
  readonly #answers = h("div", { class: "two", "aria-live": "polite" });
  #hasVocabulary = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: Ask, notice: Notice) {
    this.#ask = ask;
    this.#notice = notice;
    this.#fill = h("button", { type: "submit" }, "Fill the mask");
    this.element = h(
      "section",
      { "aria-labelledby": "text-title" },
      h("h2", { id: "text-title" }, "Look inside"),
      h("h3", {}, "Pieces"),
      h("div", { class: "field" }, h("label", { for: "pieces-text" }, "A text of yours"), this.#text),
      this.#pieces,
      h("h3", {}, "Fill a mask"),
      h(
        "form",
        {
          class: "field",
          onsubmit: (event) => {
            event.preventDefault();
            void this.#answer();
          },
        },
        h("label", { for: "fill-text" }, "Put [MASK] where a token is to be guessed"),
        h("div", { class: "choices grow" }, this.#masked, this.#fill),
      ),
      this.#answers,
    );
    this.vocabulary(false);
    this.ready(false);
  }

  /** Tells the view whether there is a vocabulary. */
  vocabulary(there: boolean): void {
    this.#hasVocabulary = there;
    if (there) this.#later();
    else
      this.#pieces.replaceChildren(
        h("span", { class: "small" }, "The pieces are shown once there is data, and a vocabulary trained on it."),
      );
  }

  /** Tells the view whether there is a model. */
  ready(ready: boolean): void {
    if (this.#fill.disabled === ready)
      this.#answers.replaceChildren(
        h(
          "p",
          { class: "small" },
          ready ? "The model's guesses are shown here." : "There is no model yet: train one, or load a saved run.",
        ),
      );
    this.#fill.disabled = !ready;
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#cut(), WAIT_MS);
  }

  async #cut(): Promise<void> {
    if (!this.#hasVocabulary) return;
    await this.#notice.during(async () => {
      const pieces = await this.#ask("pieces", { text: this.#text.value });
      this.#pieces.replaceChildren(
        ...pieces.flatMap(({ token, special }) => [
          h("span", { class: special ? "piece special" : "piece" }, token),
          " ",
        ]),
      );
    });
  }

  async #answer(): Promise<void> {
    await this.#notice.during(async () => {
      const masks = await this.#ask("fillMask", { text: this.#masked.value });
      this.#answers.replaceChildren(
        ...masks.map(({ candidates }, i) => h("div", {}, h("h4", {}, `Mask ${i + 1}`), bars(candidates, BARS))),
      );
    });
  }
}
