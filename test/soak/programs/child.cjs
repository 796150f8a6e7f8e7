// Asks the server three times and ends.
const http = require('node:http');

const get = () =>
  new Promise((done, failed) => {
    http.get('http://server/child', (response) => response.resume().on('end', done)).on('error', failed);
  });

(async () => {
  for (let i = 0; i < 3; i++) await get();
})();
