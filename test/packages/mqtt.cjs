// MQTT.js and Aedes: a broker over TCP; QoS 1, retained messages, wild cards, a last will.
const { once } = require('node:events');
const net = require('node:net');
const mqtt = require('mqtt');
const { roles } = require('./roles.cjs');

async function server() {
  const { Aedes } = await import('aedes');
  const broker = await Aedes.createBroker();
  const listener = net.createServer(broker.handle);
  await once(listener.listen(1883), 'listening');
  return () => {
    listener.close();
    broker.close();
  };
}

/** Messages that a client got, and the wait for one of a topic. */
class Inbox {
  #client;
  #messages = [];

  constructor(client) {
    this.#client = client;
    client.on('message', (topic, payload, { retain }) =>
      this.#messages.push({ topic, payload: String(payload), retain }),
    );
  }

  async of(wanted, retained = false) {
    for (;;) {
      const found = this.#messages.find(({ topic, retain }) => topic === wanted && retain === retained);
      if (found !== undefined) return `${found.topic}: ${found.payload}${retained ? ', retained' : ''}`;
      await once(this.#client, 'message');
    }
  }
}

async function client(host) {
  const url = `mqtt://${host}`;
  const options = { reconnectPeriod: 0 };
  const will = { topic: 'rooms/attic', payload: 'went silent', qos: 1 };
  const talking = await mqtt.connectAsync(url, { ...options, will });
  await talking.publishAsync('rooms/cellar', 'cold', { qos: 1, retain: true });
  const listening = await mqtt.connectAsync(url, options);
  const inbox = new Inbox(listening);
  await listening.subscribeAsync('rooms/+', { qos: 1 });
  console.log(await inbox.of('rooms/cellar', true));
  await talking.publishAsync('rooms/kitchen', 'warm', { qos: 1 });
  console.log(await inbox.of('rooms/kitchen'));
  talking.stream.destroy();
  console.log(await inbox.of('rooms/attic'));
  await listening.endAsync();
}

roles({ server, client });
