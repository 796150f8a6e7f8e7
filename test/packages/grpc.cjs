// gRPC: a call, streams in either direction, an error, a deadline; over HTTP/2.
const grpc = require('@grpc/grpc-js');
const { roles } = require('./roles.cjs');

const pass = {
  requestSerialize: (x) => x,
  requestDeserialize: (x) => x,
  responseSerialize: (x) => x,
  responseDeserialize: (x) => x,
};
const method = (name, requestStream, responseStream) => ({
  path: `/Test/${name}`,
  requestStream,
  responseStream,
  ...pass,
});
const SERVICE = {
  upper: method('upper', false, false),
  count: method('count', false, true),
  echo: method('echo', true, true),
  never: method('never', false, false),
};

async function server() {
  const rpc = new grpc.Server();
  rpc.addService(SERVICE, {
    upper: ({ request, metadata }, answer) => {
      if (request.length === 0) answer({ code: grpc.status.INVALID_ARGUMENT, details: 'nothing to do' });
      else answer(null, Buffer.from(`${String(request).toUpperCase()} ${metadata.get('who')}`));
    },
    count: (call) => {
      for (let i = 0; i < Number(call.request); i++) call.write(Buffer.from(`${i}`));
      call.end();
    },
    echo: (call) => {
      call.on('data', (bytes) => call.write(bytes)).on('end', () => call.end());
    },
    never: () => {},
  });
  await new Promise((done, fail) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    rpc.bindAsync('0.0.0.0:50051', credentials, (error) => (error === null ? done() : fail(error)));
  });
  return () => rpc.tryShutdown(() => {});
}

async function client(host) {
  const Client = grpc.makeGenericClientConstructor(SERVICE, 'Test');
  const rpc = new Client(`${host}:50051`, grpc.credentials.createInsecure());
  const ask = (name, text, options = {}) => {
    const metadata = new grpc.Metadata();
    metadata.set('who', 'me');
    return new Promise((done) => {
      rpc[name](Buffer.from(text), metadata, options, (error, answer) =>
        done(error === null ? String(answer) : `${grpc.status[error.code]}`),
      );
    });
  };
  const all = async (stream) => {
    const parts = [];
    for await (const bytes of stream) parts.push(bytes.length > 9 ? bytes.length : String(bytes));
    return parts;
  };
  console.log(await ask('upper', 'quiet'));
  console.log(await ask('upper', ''));
  console.log(await all(rpc.count(Buffer.from('5'))));
  const echo = rpc.echo();
  for (let i = 0; i < 3; i++) echo.write(Buffer.alloc(100_000));
  echo.end();
  console.log(await all(echo));
  console.log(await ask('never', '', { deadline: Date.now() + 50 }));
  rpc.close();
}

roles({ server, client });
