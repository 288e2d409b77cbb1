/** The view of a text by the model: the pieces of the text in the vocabulary, and predictions for masks. */
import { bars } from "./distribution.ts";
import type { Example, RunState } from "../protocol.ts";
import { h, say } from "./dom.ts";
import type { Notice } from "./notice.ts";
import type { Ask } from "./protein-view.ts";

const BARS = 6;
const WAIT_MS = 150;
const MASKED = "Miss [MASK] was at Netherfield.";

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
  readonly #masked = h("input", { id: "fill-text", type: "text", value: MASKED });
  readonly #fill: HTMLButtonElement;
  readonly #answers = h("div", { class: "two", "aria-live": "polite" });
  readonly #about = h("p", { class: "about small", role: "status" });
  #shown: RunState["shown"] | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: Ask, notice: Notice) {
    this.#ask = ask;
    this.#notice = notice;
    this.#fill = h("button", { type: "submit" }, "Fill the mask");
    this.element = h(
      "section",
      { "aria-labelledby": "text-title" },
      h("h2", { id: "text-title" }, "Look inside"),
      this.#about,
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
            this.#notice.clear();
            void this.#answer();
          },
        },
        h("label", { for: "fill-text" }, "Put [MASK] where a token is to be guessed"),
        h("div", { class: "choices grow" }, this.#masked, this.#fill),
      ),
      this.#answers,
    );
    this.ready("none", "One moment…");
  }

  /** Says which model the view shows. */
  about(text: string): void {
    say(this.#about, text);
  }

  /** The data has changed, and the vocabulary with it. */
  show(_examples: readonly Example[], _heldOut: boolean): void {
    this.#later();
  }

  /** Called at every step: the answers stay as they are until the visitor asks again. */
  trained(): void {}

  /** Tells the view which model there is. `wait`: the text while there is none. */
  ready(shown: RunState["shown"], wait: string): void {
    const changed = shown !== this.#shown;
    this.#shown = shown;
    this.#fill.disabled = shown === "none";
    if (shown === "none") this.#answers.replaceChildren(h("p", { class: "small" }, wait));
    else if (changed) {
      this.#later();
      void this.#answer();
    }
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#cut(), WAIT_MS);
  }

  async #cut(): Promise<void> {
    if (this.#shown === "none") return;
    await this.#notice.attempt(async () => {
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
    await this.#notice.attempt(async () => {
      const masks = await this.#ask("fillMask", { text: this.#masked.value });
      this.#answers.replaceChildren(
        ...masks.map(({ candidates }, i) => h("div", {}, h("h4", {}, `Mask ${i + 1}`), bars(candidates, BARS))),
      );
    });
  }
}
