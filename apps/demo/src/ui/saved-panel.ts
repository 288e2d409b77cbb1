/** The panel for saved runs: in the browser's storage, and as files that the command line and Python can open. */
import { deleteSaved, listSaved, type SavedEntry } from "../storage.ts";
import type { Side } from "../protocol.ts";
import { h, idOf, say } from "./dom.ts";
import { bytes, integer, nats } from "./format.ts";
import type { Notice } from "./notice.ts";

export interface SavedEvents {
  readonly onSave: () => void;
  readonly onDownload: () => void;
  readonly onLoad: (entry: SavedEntry) => void;
  readonly onFile: (file: File) => void;
}

export class SavedPanel {
  readonly element: HTMLElement;
  readonly #side: Side;
  readonly #events: SavedEvents;
  readonly #notice: Notice;
  readonly #save: HTMLButtonElement;
  readonly #download: HTMLButtonElement;
  readonly #list = h("ul", { class: "saved" });
  readonly #said = h("p", { class: "small", role: "status" });

  constructor(side: Side, events: SavedEvents, notice: Notice) {
    this.#side = side;
    this.#events = events;
    this.#notice = notice;
    this.#save = h("button", { type: "button", onclick: events.onSave }, "Save in this browser");
    this.#download = h("button", { type: "button", onclick: events.onDownload }, "Download as .zip");
    const file = h("input", {
      id: idOf(side, "open"),
      class: "unseen",
      type: "file",
      accept: ".zip",
      onchange: () => {
        const chosen = file.files?.[0];
        if (chosen) events.onFile(chosen);
        file.value = "";
      },
    });
    this.element = h(
      "section",
      { "aria-labelledby": idOf(side, "saved-title") },
      h("h2", { id: idOf(side, "saved-title") }, "Keep"),
      h("p", { class: "choices" }, this.#save, this.#download),
      h("p", {}, h("label", { for: file.id, class: "link" }, "Open a downloaded run"), file, "."),
      this.#said,
      this.#list,
    );
    this.ready(false);
  }

  ready(ready: boolean): void {
    this.#save.disabled = !ready;
    this.#download.disabled = !ready;
  }

  say(text: string): void {
    say(this.#said, text);
  }

  async refresh(): Promise<void> {
    const all = (await listSaved()).filter(({ side }) => side === this.#side);
    this.#list.replaceChildren(...all.map((entry) => this.#item(entry)));
  }

  #item(entry: SavedEntry): HTMLElement {
    const { id, name, step, loss, bytes: size, savedAt } = entry;
    const remove = async (): Promise<void> => {
      await this.#notice.during(async () => {
        await deleteSaved(id);
        await this.refresh();
        this.say(`${name} was deleted.`);
      });
    };
    return h(
      "li",
      {},
      h(
        "span",
        { class: "saved-words" },
        h("strong", {}, name),
        h(
          "span",
          { class: "small" },
          `step ${integer(step)}, loss ${nats(loss)}, ${bytes(size)}, ` +
            `${new Date(savedAt).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}`,
        ),
      ),
      h(
        "span",
        { class: "choices" },
        h(
          "button",
          { type: "button", "aria-label": `Load ${name}, step ${step}`, onclick: () => this.#events.onLoad(entry) },
          "Load",
        ),
        h(
          "button",
          {
            type: "button",
            class: "plain",
            "aria-label": `Delete ${name}, step ${step}`,
            onclick: () => void remove(),
          },
          "Delete",
        ),
      ),
    );
  }
}
