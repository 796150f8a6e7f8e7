// Answers with the number of the request.
import { createServer } from 'node:http';

createServer((request, response) => response.end(`answer ${request.url?.slice(1)}`)).listen(80);
