// Run by supertest.cjs.
const assert = require('node:assert');
const http = require('node:http');
const { test } = require('node:test');
const request = require('supertest');

test('an application of the test', async () => {
  const application = http.createServer((question, response) => response.writeHead(201).end(question.method));
  const { text } = await request(application).delete('/').expect(201);
  assert.equal(text, 'DELETE');
});
test('another machine', async () => {
  const { body } = await request(process.env.SERVER).get('/far').expect(200);
  assert.deepEqual(body, { asked: '/far' });
});
