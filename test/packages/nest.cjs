// NestJS: an application over HTTP (Express) that is a micro-service over TCP too, and a client of both.
require('reflect-metadata');
const { Controller, Get, Module, Param } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { ClientProxyFactory, EventPattern, MessagePattern, Transport } = require('@nestjs/microservices');
const { firstValueFrom, lastValueFrom, of, toArray } = require('rxjs');
const { roles } = require('./roles.cjs');

const MICRO_PORT = 3001;

class Numbers {
  seen = [];

  square(text) {
    return { square: Number(text) ** 2 };
  }

  sum(numbers) {
    return numbers.reduce((sum, one) => sum + one, 0);
  }

  each(numbers) {
    return of(...numbers);
  }

  note(text) {
    this.seen.push(text);
  }

  notes() {
    return this.seen;
  }
}

/** As a compiler writes decorators. */
function decorate(name, decorators, parameters = []) {
  const { prototype } = Numbers;
  parameters.forEach((decorator, index) => {
    decorator(prototype, name, index);
  });
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  for (const decorator of decorators) decorator(prototype, name, descriptor);
}

decorate('square', [Get('square/:of')], [Param('of')]);
decorate('sum', [MessagePattern({ cmd: 'sum' })]);
decorate('each', [MessagePattern({ cmd: 'each' })]);
decorate('note', [EventPattern('note')]);
decorate('notes', [MessagePattern({ cmd: 'notes' })]);
Controller()(Numbers);

class Application {}
Module({ controllers: [Numbers] })(Application);

async function server() {
  const app = await NestFactory.create(Application, { logger: false });
  app.connectMicroservice({ transport: Transport.TCP, options: { host: '0.0.0.0', port: MICRO_PORT } });
  await app.startAllMicroservices();
  await app.listen(80);
  return () => app.close();
}

async function client(host) {
  const service = ClientProxyFactory.create({ transport: Transport.TCP, options: { host, port: MICRO_PORT } });
  console.log(await (await fetch(`http://${host}/square/12`)).text());
  console.log(await firstValueFrom(service.send({ cmd: 'sum' }, [1, 2, 3])));
  console.log(await lastValueFrom(service.send({ cmd: 'each' }, [4, 5, 6]).pipe(toArray())));
  await lastValueFrom(service.emit('note', 'an event'), { defaultValue: null });
  console.log(await firstValueFrom(service.send({ cmd: 'notes' }, {})));
  service.close();
}

roles({ server, client });
