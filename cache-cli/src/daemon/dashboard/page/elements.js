// Making and changing elements. What has not changed is not touched, so focus, selection and screen readers stay where they
// are. Text goes in as text alone: nothing that a client calls itself is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function put(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) attribute(element, name, value);
  element.append(...children);
  return element;
}

export const make = (tag, attributes = {}, ...children) => put(document.createElement(tag), attributes, children);

export const draw = (tag, attributes = {}, ...children) => put(document.createElementNS(SVG, tag), attributes, children);

export function attribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function size(element, share) {
  const width = `${(100 * Math.min(1, Math.max(0, share || 0))).toFixed(1)}%`;
  if (element.style.width !== width) element.style.width = width;
}

/** Gives `parent` one child for each item, in order: made once for each key, and changed from then on. */
export function keep(parent, items, keyOf, create, change) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    before.delete(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    change(child, item);
  }
  for (const child of before.values()) child.remove();
}
