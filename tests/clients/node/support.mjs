// What the scripts share: a chat as useChat keeps it, a connection that can be cut, and waiting.
import net from 'node:net';

export const [url, upstream, ...rest] = process.argv.slice(2);

// Connections that are kept alive would hold the process for seconds, so it ends here.
export const print = value => process.stdout.write(JSON.stringify(value), () => process.exit());

// Lets the upstream go on with `hold NAME`.
export const open = name => fetch(`${upstream}/open/${name}`);

export async function until(condition) {
  for (let at = 0; at < 1000; at++) {
    if (await condition()) return;
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  throw new Error(`not within 5 s: ${condition}`);
}

// A way to a server whose connections can be cut, as networks do: nothing is said at the end.
export async function cuttable(target) {
  const { hostname, port } = new URL(target);
  const sockets = new Set();
  const server = net.createServer(near => {
    const far = net.connect(Number(port), hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      sockets.add(one);
      one.on('error', () => {}).on('close', () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut: () => sockets.forEach(socket => socket.resetAndDestroy()),
    close: () => server.close(),
  };
}

// The state machine of useChat in version `major` of the AI SDK, with plain fields where React has its own.
export async function newChat(major, { base = url, id, messages = [], chat = {}, ...transport } = {}) {
  const { AbstractChat, DefaultChatTransport } = await import(major === '7' ? 'ai' : `ai${major}`);
  const seen = { chunks: [], errors: [], finished: [], statuses: [] };
  const state = {
    messages,
    error: undefined,
    pushMessage: message => { state.messages = [...state.messages, message]; },
    popMessage: () => { state.messages = state.messages.slice(0, -1); },
    replaceMessage: (at, message) => { state.messages = state.messages.with(at, structuredClone(message)); },
    snapshot: value => structuredClone(value),
    get status() { return seen.statuses.at(-1) ?? 'ready'; },
    set status(status) { if (status !== state.status) seen.statuses.push(status); },
  };
  class Recorded extends DefaultChatTransport {
    processResponseStream(stream) {
      return super.processResponseStream(stream).pipeThrough(new TransformStream({
        transform(chunk, controller) {
          seen.chunks.push(chunk);
          controller.enqueue(chunk);
        },
      }));
    }
  }
  const headers = { 'x-lor3-ai-sdk': major };
  const made = new (class extends AbstractChat {})({
    id,
    state,
    transport: new Recorded({ api: `${base}/ui/chat`, headers, ...transport }),
    onError: error => seen.errors.push(error.message),
    onFinish: ({ isAbort, isDisconnect, isError }) => seen.finished.push({ isAbort, isDisconnect, isError }),
    ...chat,
  });
  return Object.assign(made, { seen });
}

export const textOf = message =>
  (message?.parts ?? []).filter(part => part.type === 'text').map(part => part.text).join('');

export const shown = chat => ({
  id: chat.id,
  status: chat.status,
  error: chat.error?.message ?? null,
  messages: chat.messages.map(message => ({
    id: message.id,
    role: message.role,
    text: textOf(message),
    metadata: message.metadata ?? null,
    parts: message.parts,
  })),
  ...chat.seen,
});
