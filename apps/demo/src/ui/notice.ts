/** The notice for errors, at the foot of the page. Nothing else moves when it appears. */
import { WorkerFailure } from "../worker-client.ts";
import { h, say } from "./dom.ts";

export class Notice {
  readonly element: HTMLElement;
  readonly #title = h("strong");
  readonly #text = h("p");
  readonly #box: HTMLElement;
  /** The text for screen readers. They read it even where the notice was hidden a moment ago. */
  readonly #spoken = h("p", { class: "unseen", role: "alert" });

  constructor() {
    this.#box = h(
      "div",
      { class: "notice", hidden: true },
      h("div", {}, this.#title, this.#text),
      h("button", { type: "button", class: "plain", onclick: () => this.clear() }, "Dismiss"),
    );
    this.element = h("div", {}, this.#spoken, this.#box);
  }

  show(error: unknown): void {
    if (error instanceof WorkerFailure && error.failure.stopped === true) return;
    const { title, text } =
      error instanceof WorkerFailure
        ? error.failure
        : { title: "Something is wrong", text: error instanceof Error ? error.message : String(error) };
    say(this.#title, title);
    say(this.#text, text);
    say(this.#spoken, `${title}. ${text}`);
    this.#box.hidden = false;
  }

  clear(): void {
    this.#box.hidden = true;
    this.#spoken.textContent = "";
  }

  /** Clears the notice, then as `attempt`: for what the visitor does. */
  during(work: () => Promise<void>): Promise<boolean> {
    this.clear();
    return this.attempt(work);
  }

  /** Runs `work` and shows its error, if any. Returns true where there was no error. */
  async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.show(error);
      return false;
    }
  }
}
