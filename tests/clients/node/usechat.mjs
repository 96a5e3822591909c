// `useChat` itself, in React without a page: one turn, then another page that resumes what is being answered.
import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport } from 'ai';
import { act, createElement } from 'react';
import { create } from 'react-test-renderer';
import { open, print, rest, textOf, until, url } from './support.mjs';

globalThis.IS_REACT_ACT_ENVIRONMENT = true;
const { error } = console;
console.error = (first, ...more) => String(first).includes('react-test-renderer is deprecated') || error(first, ...more);

const [name] = rest;
const id = `hook-${name}`;

// Renders a component that has nothing but the hook; `page.chat` is what it returned last.
async function page(options) {
  const seen = { chat: undefined };
  const transport = new DefaultChatTransport({ api: `${url}/ui/chat`, headers: { 'x-lor3-ai-sdk': '7' } });
  const Page = () => {
    seen.chat = useChat({ id, transport, ...options });
    return null;
  };
  let root;
  await act(async () => { root = create(createElement(Page)); });
  const settle = condition => until(async () => {
    await act(async () => { await new Promise(resolve => setTimeout(resolve, 1)); });
    return condition(seen.chat);
  });
  return Object.assign(seen, { settle, leave: () => act(async () => root.unmount()) });
}

const answer = chat => textOf(chat.messages.findLast(message => message.role === 'assistant'));

const first = await page();
await act(async () => { await first.chat.sendMessage({ text: `say ${name}` }); });
await first.settle(chat => chat.status === 'ready');
const said = first.chat.messages.map(textOf);
await act(async () => { first.chat.sendMessage({ text: `hold ${name}` }); });
await first.settle(chat => chat.messages.length === 4 && answer(chat).length > 20);
await first.leave();

const second = await page({ resume: true, messages: first.chat.messages.slice(0, 3) });
await second.settle(chat => chat.messages.length === 4 && answer(chat).length > 20);
const streaming = second.chat.status;
await open(name);
await second.settle(chat => chat.status === 'ready');
print({ said, streaming, resumed: second.chat.messages.map(textOf), error: second.chat.error?.message ?? null });
