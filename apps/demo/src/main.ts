/** The entry of the page: title, device and two tabs. Each side gets its worker when a visitor first opens its tab. */
import type { DeviceInfo, Side as Kind } from "./protocol.ts";
import { h, say } from "./ui/dom.ts";
import { guardLeaving } from "./ui/leaving.ts";
import { Notice } from "./ui/notice.ts";
import { Side } from "./ui/side.ts";
import { DEVICES_ASKED } from "./worker/device-choice.ts";

const KINDS: readonly (readonly [Kind, string])[] = [
  ["protein", "Proteins"],
  ["text", "Text"],
];
const inAddress = new URLSearchParams(location.search).get("device");
const asked = DEVICES_ASKED.find((name) => name === inAddress) ?? "auto";

const notice = new Notice();
const sides = new Map<Kind, Side>();
const device = h("p", { class: "device", role: "status" }, "Looking for a GPU…");
const remedy = h("p", { class: "small" });
const help = h("details", { class: "help", style: "visibility: hidden" }, h("summary", {}, "What would help"), remedy);
const tabs = KINDS.map(([kind, words]) =>
  h(
    "button",
    {
      type: "button",
      role: "tab",
      id: `tab-${kind}`,
      "aria-controls": `panel-${kind}`,
      onclick: () => show(kind),
      onkeydown: (event) => step(event as KeyboardEvent),
    },
    words,
  ),
);
const panels = KINDS.map(([kind]) =>
  h("div", { role: "tabpanel", id: `panel-${kind}`, "aria-labelledby": `tab-${kind}`, hidden: true }),
);

function showDevice({ kind, device: name, reason, remedy: words }: DeviceInfo): void {
  const engine = { webgpu: `WebGPU: ${name}`, wasm: `WebAssembly (${name})` }[kind];
  say(device, reason === "" ? `Computes on ${engine}.` : `Computes on ${engine}, because ${reason}.`);
  say(remedy, words);
  device.classList.toggle("slow", reason !== "");
  help.style.visibility = words === "" ? "hidden" : "visible";
}

function show(kind: Kind): void {
  KINDS.forEach(([each], i) => {
    const chosen = each === kind;
    tabs[i]?.setAttribute("aria-selected", String(chosen));
    tabs[i]?.setAttribute("tabindex", chosen ? "0" : "-1");
    panels[i]?.toggleAttribute("hidden", !chosen);
    if (!chosen || sides.has(each)) return;
    const side = new Side({ kind: each, device: asked, notice, onDevice: showDevice });
    sides.set(each, side);
    panels[i]?.append(side.element);
  });
}

function step(event: KeyboardEvent): void {
  const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const from = tabs.findIndex((tab) => tab === event.currentTarget);
  const to = move === undefined ? undefined : (from + move + tabs.length) % tabs.length;
  if (to === undefined) return;
  show((KINDS[to] as (typeof KINDS)[number])[0]);
  tabs[to]?.focus();
}

document
  .querySelector("#page")
  ?.append(
    h(
      "header",
      {},
      h("h1", {}, "cloze"),
      h(
        "p",
        { class: "lead" },
        "Train an encoder in this page, on the machine in front of you, and look inside as it learns. Nothing " +
          "leaves the machine.",
      ),
      h("div", {}, device, help),
      h("div", { role: "tablist", "aria-label": "What to train on" }, ...tabs),
    ),
    h("main", {}, ...panels),
    notice.element,
  );
guardLeaving(() => sides.values());
show("protein");
