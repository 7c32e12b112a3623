// Elements made of texts. Sellers and apps choose many of the words that are shown here, so no
// text ever becomes markup: it goes through textContent or a text node, and nowhere else.

const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

/** An element with these attributes, and these elements or texts in it. */
export function make(tag, attributes = {}, ...inside) {
  return dress(document.createElement(tag), attributes, inside);
}

/** The same, of a drawing. */
export function draw(tag, attributes = {}, ...inside) {
  return dress(document.createElementNS(SVG, tag), attributes, inside);
}

/** Write a text, if it is another one: a screen reader should hear changes only. */
export function write(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Show or hide. */
export function show(node, shown) {
  if (node.hidden === shown) {
    node.hidden = !shown;
  }
}

/**
 * One child for each item, in this order. What stays keeps its element, and so its focus.
 * build() makes an element, fill(element, item) writes into it.
 */
export function list(parent, items, keyOf, build, fill) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    const node = known.get(key) ?? build(item);
    known.delete(key);
    node.dataset.key = key;
    if (parent.children[index] !== node) {
      parent.insertBefore(node, parent.children[index] ?? null);
    }
    fill(node, item);
  });
  known.forEach((node) => node.remove());
}

/** The part of an element that was made with this name. */
export function part(node, name) {
  return node.querySelector(`[data-part="${name}"]`);
}

function dress(node, attributes, inside) {
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }
  node.append(...inside);
  return node;
}
