/** The panel for saved runs: in the browser's storage, and as files that the command line and Python can open. */
import { deleteSaved, listSaved } from "../storage.ts";
import type { Autosave, SavedEntry, Side } from "../protocol.ts";
import { WorkerFailure } from "../worker-client.ts";
import { h, idOf, say } from "./dom.ts";
import { bytes, integer, nats, timeOfDay } from "./format.ts";
import type { Notice } from "./notice.ts";

export interface SavedEvents {
  readonly onSave: () => void;
  readonly onDownload: () => void;
  readonly onLoad: (entry: SavedEntry) => void;
  readonly onFile: (file: File) => void;
}

interface Item {
  readonly element: HTMLElement;
  readonly show: (entry: SavedEntry) => void;
}

const BY_ITSELF = "While it trains, the page saves the run by itself, and opens it again at your next visit.";

export class SavedPanel {
  readonly element: HTMLElement;
  readonly #side: Side;
  readonly #events: SavedEvents;
  readonly #notice: Notice;
  readonly #save: HTMLButtonElement;
  readonly #download: HTMLButtonElement;
  readonly #list = h("ul", { class: "saved" });
  readonly #said = h("p", { class: "small", role: "status" });
  /** Not a status: a screen reader would read it every few seconds. */
  readonly #autosaved = h("p", { class: "small autosaved" }, BY_ITSELF);
  readonly #items = new Map<string, Item>();
  #problem = "";

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
      this.#autosaved,
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

  /** Tells of a save that the page made by itself. A problem is shown once, until it changes or is over. */
  async autosaved(autosave: Autosave): Promise<void> {
    if ("failure" in autosave) {
      const { failure } = autosave;
      say(this.#autosaved, `The page could not save by itself. ${failure.text} It tries again in a minute.`);
      if (failure.text !== this.#problem) this.#notice.show(new WorkerFailure(failure));
      this.#problem = failure.text;
      return;
    }
    this.#problem = "";
    const { step, savedAt } = autosave.entry;
    say(this.#autosaved, `${BY_ITSELF} Last: step ${integer(step)}, at ${timeOfDay(savedAt)}.`);
    await this.#notice.attempt(() => this.refresh());
  }

  async refresh(): Promise<void> {
    const entries = (await listSaved()).filter(({ side }) => side === this.#side);
    const elements = entries.map((entry) => {
      const item = this.#items.get(entry.id) ?? this.#item(entry);
      this.#items.set(entry.id, item);
      item.show(entry);
      return item.element;
    });
    // Elements that stay in their place keep the focus.
    if (elements.length !== this.#list.children.length || elements.some((each, i) => this.#list.children[i] !== each))
      this.#list.replaceChildren(...elements);
  }

  #item(first: SavedEntry): Item {
    let entry = first;
    const words = h("span", { class: "small" });
    const name = h("strong");
    const load = h("button", { type: "button", onclick: () => this.#events.onLoad(entry) }, "Load");
    const remove = async (): Promise<void> => {
      await this.#notice.during(async () => {
        await deleteSaved(entry.id);
        this.#items.delete(entry.id);
        await this.refresh();
        this.say(`${entry.name} was deleted.`);
      });
    };
    const drop = h("button", { type: "button", class: "plain", onclick: () => void remove() }, "Delete");
    return {
      element: h(
        "li",
        { class: first.automatic === true ? "automatic" : "" },
        h("span", { class: "saved-words" }, name, words),
        h("span", { class: "choices" }, load, drop),
      ),
      show: (next) => {
        entry = next;
        const { step, loss, bytes: size, savedAt, automatic } = next;
        say(name, next.name);
        say(
          words,
          `${automatic === true ? "saved by the page, " : ""}step ${integer(step)}, loss ${nats(loss)}, ` +
            `${bytes(size)}, ` +
            `${new Date(savedAt).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}`,
        );
        load.setAttribute("aria-label", `Load ${next.name}, step ${step}`);
        drop.setAttribute("aria-label", `Delete ${next.name}, step ${step}`);
      },
    };
  }
}
