// The `openai` package against /v1: one scenario, named last.
import OpenAI from 'openai';
import { print, rest, url } from './support.mjs';

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0, timeout: 10_000 });
const asks = (content, more = {}) => ({ model: 'first:m', messages: [{ role: 'user', content }], ...more });
const tools = [{
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
}];

const failure = error => ({
  class: error.constructor.name,
  isAPIError: error instanceof OpenAI.APIError,
  status: error.status ?? null,
  code: error.code ?? null,
  type: error.type ?? null,
  param: error.param ?? null,
  requestID: error.requestID ?? null,
  shouldRetry: error.headers?.get('x-should-retry') ?? null,
  retryAfter: error.headers?.get('retry-after') ?? null,
  message: error.message,
});

async function failing(request) {
  let text = '';
  try {
    const answer = await client.chat.completions.create(request);
    if (request.stream) for await (const chunk of answer) text += chunk.choices[0]?.delta?.content ?? '';
    return { text, class: null };
  } catch (error) {
    return { text, ...failure(error) };
  }
}

const scenarios = {
  async whole() {
    const { data, response, request_id } = await client.chat.completions.create(asks('say it')).withResponse();
    return { data, requestID: request_id, headers: Object.fromEntries(response.headers) };
  },

  async streamed() {
    const chunks = [];
    const request = asks('say it', { stream: true, stream_options: { include_usage: true } });
    for await (const chunk of await client.chat.completions.create(request)) chunks.push(chunk);
    return chunks;
  },

  // The helper puts chunks together and checks them as it goes.
  async assembled() {
    const runner = client.chat.completions.stream(asks('say it', { stream_options: { include_usage: true } }));
    const deltas = [];
    runner.on('content', delta => deltas.push(delta));
    const final = await runner.finalChatCompletion();
    return { deltas: deltas.join(''), final };
  },

  async tools() {
    const whole = await client.chat.completions.create(asks('call it', { tools }));
    const runner = client.chat.completions.stream(asks('call it', { tools }));
    const streamed = await runner.finalChatCompletion();
    const call = streamed.choices[0].message.tool_calls[0];
    const messages = [
      { role: 'user', content: 'call it' },
      streamed.choices[0].message,
      { role: 'tool', tool_call_id: call.id, content: 'rain' },
    ];
    const answered = await client.chat.completions.create({ model: 'first:m', messages, tools });
    return { whole: whole.choices[0], streamed: streamed.choices[0], answered: answered.choices[0] };
  },

  // `runTools` calls functions and sends their results by itself.
  async loop() {
    const asked = [];
    const weather = { ...tools[0].function, parse: JSON.parse, function: given => { asked.push(given); return 'sun'; } };
    const runner = client.chat.completions.runTools(
      asks('call it', { stream: true, tools: [{ type: 'function', function: weather }] }),
    );
    return { text: await runner.finalContent(), asked };
  },

  async schema() {
    const schema = {
      type: 'object',
      properties: { city: { type: 'string' }, rain: { type: 'boolean' } },
      required: ['city', 'rain'],
      additionalProperties: false,
    };
    const response_format = { type: 'json_schema', json_schema: { name: 'report', strict: true, schema } };
    const parsed = await client.chat.completions.parse(asks('json please', { response_format }));
    const streamed = await client.chat.completions.stream(asks('json please', { response_format })).finalContent();
    return { parsed: parsed.choices[0].message.parsed ?? JSON.parse(parsed.choices[0].message.content), streamed };
  },

  async errors() {
    const spare = { model: 'spare:m', lor3: { fallbacks: [] } };
    return {
      model: await failing(asks('say it', { model: 'nowhere:m' })),
      field: await failing(asks('say it', { temperature: 'hot' })),
      refused: await failing(asks('refuse it', spare)),
      failed: await failing(asks('fail it', spare)),
      streamed: await failing(asks('refuse it', { ...spare, stream: true })),
      broken: await failing(asks('break all of it', { stream: true })),
      limited: await failing(asks('limit it', spare)),
    };
  },

  async models() {
    const found = [];
    for await (const model of client.models.list()) found.push(model);
    return { found, one: await client.models.retrieve('first:none').catch(failure) };
  },

  async thread() {
    const first = await client.chat.completions.create(asks('say it'));
    const second = await client.chat.completions.create(
      asks('say more', { lor3: { thread_id: first.lor3.thread_id }, metadata: { page: 'a' } }),
    );
    return [first.lor3, second.lor3];
  },

  // Leaving a stream early hangs up.
  async aborted() {
    const name = rest[1];
    const stream = await client.chat.completions.create(asks(`hold ${name}`, { stream: true }));
    let text = '';
    let id;
    for await (const chunk of stream) {
      id = chunk.id;
      text += chunk.choices[0]?.delta?.content ?? '';
      if (text.length > 20) break;
    }
    return { id, isAborted: stream.controller.signal.aborted, text };
  },
};

print(await scenarios[rest[0]]());
