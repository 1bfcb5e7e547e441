// An OpenID provider of npm's `oidc-provider`. Its argument is a file with its settings; its keys are read anew on SIGHUP.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
const settings = read(process.argv[2]);
const { default: Provider } = await import(pathToFileURL(createRequire(settings.modules).resolve('oidc-provider')));

// Everything but its keys outlives a change of them: what was issued is kept by the library, one store for the process.
function provider() {
  const jwks = read(settings.jwks);
  const [{ alg, kid }] = jwks.keys;
  return new Provider(settings.issuer, {
    jwks,
    clients: settings.clients,
    clientDefaults: { id_token_signed_response_alg: alg },
    scopes: ['openid', 'offline_access', ...settings.scopes],
    enabledJWA: { idTokenSigningAlgValues: [...new Set(jwks.keys.map((key) => key.alg))] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      dPoP: { enabled: true },
      introspection: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        getCertificate: ({ socket }) => socket.getPeerX509Certificate(),
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          audience: resource,
          scope: settings.scopes.join(' '),
          accessTokenFormat: resource === settings.opaque ? 'opaque' : 'jwt',
          jwt: { sign: { alg, kid } },
        }),
      },
      revocation: { enabled: true },
    },
  });
}

let answer = provider().callback();
process.on('SIGHUP', () => { answer = provider().callback(); });
const tls = { key: readFileSync(settings.key), cert: readFileSync(settings.certificate), requestCert: true, rejectUnauthorized: false };
createServer(tls, (request, response) => answer(request, response)).listen(settings.port, '127.0.0.1');
