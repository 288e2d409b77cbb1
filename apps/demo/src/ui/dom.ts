/** Elements in one expression. */

type Value = string | number | boolean | undefined | ((event: Event) => void);
type Child = Node | string | undefined;

/** `on…` are listeners, true and false set and leave out an attribute, all else is its text. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Value>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, Value>> = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

export function set(element: Element, attributes: Readonly<Record<string, Value>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean" || value === undefined) element.toggleAttribute(name, value === true);
    else element.setAttribute(name, String(value));
  }
}

/** Sets the text only where it is another one, so that a screen reader is not told twice. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Names within the page, for labels. */
export const idOf = (...parts: readonly string[]): string => parts.join("-");
