// ldapjs: a server and a client of it: bind, search, an error.
const { once } = require('node:events');
const ldap = require('ldapjs');
const { roles } = require('./roles.cjs');

const SUFFIX = 'o=lab';
const PEOPLE = ['ada', 'grace', 'linus'];

async function server() {
  const directory = ldap.createServer();
  directory.bind(`cn=root, ${SUFFIX}`, (request, response, next) => {
    if (request.credentials !== 'secret') return next(new ldap.InvalidCredentialsError());
    response.end();
    return next();
  });
  directory.search(SUFFIX, (request, response, next) => {
    for (const cn of PEOPLE) {
      const entry = { dn: `cn=${cn}, ${SUFFIX}`, attributes: { cn, objectclass: ['person'], length: `${cn.length}` } };
      if (request.filter.matches(entry.attributes)) response.send(entry);
    }
    response.end();
    return next();
  });
  await new Promise((done) => directory.listen(389, '0.0.0.0', done));
  return () => directory.close();
}

function bind(client, password) {
  return new Promise((done) => {
    client.bind(`cn=root, ${SUFFIX}`, password, (error) => done(error === null ? 'bound' : error.name));
  });
}

function search(client, filter) {
  return new Promise((done, fail) => {
    client.search(SUFFIX, { filter, scope: 'sub' }, (error, response) => {
      if (error) return fail(error);
      const found = [];
      response.on('searchEntry', (entry) => found.push(String(entry.objectName)));
      response.on('error', fail).on('end', ({ status }) => done(`${status} ${found}`));
    });
  });
}

async function client(host) {
  const directory = ldap.createClient({ url: `ldap://${host}` });
  await once(directory, 'connect');
  console.log(await bind(directory, 'wrong'));
  console.log(await bind(directory, 'secret'));
  console.log(await search(directory, '(&(objectclass=person)(cn=*a*))'));
  console.log(await search(directory, '(length=5)'));
  directory.unbind();
  await once(directory, 'close');
}

roles({ server, client });
