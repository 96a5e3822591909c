// `useChat`'s own state machine and transport against /ui/chat: the SDK's version, and one scenario of it.
import { cuttable, newChat, open, print, rest, shown, textOf, until, url } from './support.mjs';

const [major, scenario, name, elsewhere] = rest;
const id = `chat-${name}`;
const length = chat => textOf(chat.lastMessage?.role === 'assistant' ? chat.lastMessage : undefined).length;

const scenarios = {
  async talk() {
    const chat = await newChat(major, { id });
    await chat.sendMessage({ text: `say ${name} first` });
    await chat.sendMessage({ text: `say ${name} second` });
    return shown(chat);
  },

  async regenerate() {
    const chat = await newChat(major, { id });
    await chat.sendMessage({ text: `say ${name}` });
    const before = shown(chat);
    await chat.regenerate();
    return { before, after: shown(chat) };
  },

  // The page asks the server, or another replica that is named, to stop, and goes on reading until that has ended the stream.
  async stop() {
    const chat = await newChat(major, { id });
    const sent = chat.sendMessage({ text: `hold ${name}` });
    await until(() => length(chat) > 20);
    const answer = await fetch(`${elsewhere ?? url}/ui/chat/${id}/stop`, { method: 'POST' });
    await sent;
    const stopped = { http: answer.status, body: await answer.json() };
    const stored = await (await fetch(`${url}/ui/chat/${id}/messages`)).json();
    await chat.sendMessage({ text: `say ${name} more` });
    return { stopped, stored, after: shown(chat) };
  },

  // The connection is cut, and the same page resumes.
  async cut() {
    const way = await cuttable(url);
    const chat = await newChat(major, { id, base: way.url });
    const sent = chat.sendMessage({ text: `hold ${name}` });
    await until(() => length(chat) > 20);
    way.cut();
    await sent;
    const before = shown(chat);
    const resumed = chat.resumeStream();
    await until(() => length(chat) > 20 && chat.status === 'streaming');
    await open(name);
    await resumed;
    way.close();
    return { before, after: shown(chat) };
  },

  // The page is loaded again, elsewhere where another replica is named: it has what was stored.
  async reload() {
    const first = await newChat(major, { id });
    const sent = first.sendMessage({ text: `hold ${name}` }).catch(() => {});
    await until(() => length(first) > 20);
    await first.stop();
    await sent;
    const base = elsewhere ?? url;
    const { items } = await (await fetch(`${base}/ui/chat/${id}/messages`)).json();
    const chat = await newChat(major, { id, base, messages: items });
    const resumed = chat.resumeStream();
    await until(() => length(chat) > 20);
    await open(name);
    await resumed;
    const again = await newChat(major, { id, base, messages: chat.messages });
    await again.resumeStream();
    return { items, after: shown(chat), again: shown(again) };
  },

  async break() {
    const chat = await newChat(major, { id });
    await chat.sendMessage({ text: `break ${name}` });
    return shown(chat);
  },

  async breakAll() {
    const chat = await newChat(major, { id });
    await chat.sendMessage({ text: `break all ${name}` });
    const { items } = await (await fetch(`${url}/ui/chat/${id}/messages`)).json();
    return { items, ...shown(chat) };
  },

  async refuse() {
    const chat = await newChat(major, { id });
    await chat.sendMessage({ text: `refuse ${name}` });
    return shown(chat);
  },

  // The tool is the page's: its result is sent by itself, and the answer goes on in the same message.
  async call() {
    const sdk = await import(major === '7' ? 'ai' : `ai${major}`);
    const tool = { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } };
    const body = { lor3: { tools: [{ type: 'function', function: tool }] } };
    const chat = await newChat(major, {
      id,
      body,
      chat: {
        sendAutomaticallyWhen: sdk.lastAssistantMessageIsCompleteWithToolCalls,
        onToolCall: ({ toolCall }) => {
          chat.addToolOutput({ tool: toolCall.toolName, toolCallId: toolCall.toolCallId, output: 'rain' });
        },
      },
    });
    await chat.sendMessage({ text: `call ${name}` });
    await until(() => chat.status === 'ready' && textOf(chat.lastMessage) !== '');
    return shown(chat);
  },

  // The page is loaded again while the answer to its tool's result is made, and resumes: its tool is not run again.
  async callAndReload() {
    const sdk = await import(major === '7' ? 'ai' : `ai${major}`);
    const body = { lor3: { tools: [{ type: 'function', function: { name: 'weather' } }] } };
    const runs = [];
    const make = messages => newChat(major, {
      id,
      body,
      messages,
      chat: {
        sendAutomaticallyWhen: sdk.lastAssistantMessageIsCompleteWithToolCalls,
        onToolCall: ({ toolCall }) => {
          runs.push(toolCall.toolCallId);
          first.addToolOutput({ tool: toolCall.toolName, toolCallId: toolCall.toolCallId, output: { sky: 'rain' } });
        },
      },
    });
    const first = await make([]);
    const sent = first.sendMessage({ text: `call hold ${name}` });
    await until(() => length(first) > 20);
    const { items } = await (await fetch(`${url}/ui/chat/${id}/messages`)).json();
    const chat = await make(items);
    const resumed = chat.resumeStream();
    await until(() => length(chat) > 20);
    await open(name);
    await resumed;
    await sent;
    await until(() => first.status === 'ready');
    const stored = await (await fetch(`${url}/ui/chat/${id}/messages`)).json();
    return { runs, first: shown(first), after: shown(chat), stored: stored.items };
  },
};

print(await scenarios[scenario]());
