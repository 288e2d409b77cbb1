/** Functions that make and change DOM elements in one expression. */

type Value = string | number | boolean | undefined | ((event: Event) => void);
type Child = Node | string | undefined;

/**
 * Makes an element. A function (`on…`) is added as a listener. true sets an attribute, false leaves it out. Any other
 * value is the attribute's text.
 */
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

/** Sets an element's text, only where it changes, so that a screen reader does not read it twice. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** An element id that is unique in the page, for labels. */
export const idOf = (...parts: readonly string[]): string => parts.join("-");
