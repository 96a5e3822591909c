// Runs the script of /docs on a document of plain objects, against the server, and tells what stands on the page.
import { runInThisContext } from 'node:vm';
import { print, url } from './support.mjs';

class Element {
  constructor(tag) {
    Object.assign(this, { tag, attributes: {}, children: [], listeners: {} });
  }
  setAttribute(name, value) {
    this.attributes[name] = String(value);
    if (name === 'value') this.value = String(value);
  }
  append(...nodes) {
    for (const node of nodes) if (!(node instanceof Element) && typeof node !== 'string') throw new TypeError(`append ${node}`);
    this.children.push(...nodes);
    // What a browser does: the first option is the chosen one.
    if (this.tag === 'select' && this.value === undefined) this.value = this.children[0]?.attributes.value;
  }
  replaceChildren(...nodes) {
    this.children = [];
    this.append(...nodes);
  }
  addEventListener(name, listener) {
    this.listeners[name] = listener;
  }
  get textContent() {
    return this.children.map(child => (typeof child === 'string' ? child : child.textContent)).join('');
  }
  set textContent(text) {
    this.children = [text];
  }
  all(tag) {
    const below = this.children.filter(child => child instanceof Element).flatMap(child => child.all(tag));
    return this.tag === tag ? [this, ...below] : below;
  }
}

const named = id => Object.assign(new Element(id), { attributes: { id } });
const [nav, main] = [named('nav'), named('main')];
const page = new Element('body');
page.append(nav, main);
const tags = ['div', 'section', 'a', 'pre', 'p', 'code', 'h2', 'form', 'textarea', 'select', 'button', 'span', 'input'];
const [everywhere, real] = [() => [nav, main, ...tags.flatMap(tag => page.all(tag))], globalThis.fetch];
Object.assign(globalThis, {
  document: {
    createElement: tag => new Element(tag),
    getElementById: id => everywhere().find(each => each.attributes.id === id) ?? null,
  },
  location: { hash: '' },
  matchMedia: () => ({ matches: true, addEventListener() {} }),
  fetch: (path, ...options) => real(new URL(path, url), ...options),
});

runInThisContext(await (await real(`${url}/docs/app.js`)).text());
while (!main.children.length) await new Promise(resolve => setTimeout(resolve, 5));

const ids = everywhere().map(each => each.attributes.id);
const anchors = page.all('a').map(each => each.attributes.href);
const sections = [];
for (const section of main.all('section')) {
  const [form] = section.all('form');
  const sent = {};
  if (form && !form.all('input').length) {
    const [choice] = form.all('select');
    for (const option of form.all('option')) {
      choice.value = option.attributes.value;
      choice.listeners.change();
      await form.listeners.submit({ preventDefault() {} });
      const [status] = form.all('span');
      sent[option.textContent] = [status.textContent.split(' ')[0], form.all('pre')[0].textContent];
    }
  }
  sections.push({
    id: section.attributes.id,
    request: form?.all('textarea')[0].value ?? null,
    path: form?.all('input')[0]?.value ?? null,
    sent,
    text: section.textContent,
  });
}
print({
  loose: anchors.filter(href => href.startsWith('#') && !ids.includes(href.slice(1))),
  menu: nav.all('a').map(each => each.attributes.href),
  text: main.textContent.slice(0, 200),
  sections,
});
