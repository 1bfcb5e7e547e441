// What happens to a request on its way to the upstream, and to the answer on its way back.

export * from "@gcoredev/proxy-wasm-sdk-as/assembly/proxy";
import {
  Context,
  FilterHeadersStatusValues,
  RootContext,
  makeHeaderPair,
  registerRootContext,
  send_http_response,
  stream_context,
} from "@gcoredev/proxy-wasm-sdk-as/assembly";

class Root extends RootContext {
  createContext(id: u32): Context {
    return new Interceptor(id, this);
  }
}

// One request and its answer.
class Interceptor extends Context {
  onRequestHeaders(fields: u32, endOfStream: bool): FilterHeadersStatusValues {
    const request = stream_context.headers.request;
    // Names are in lower case. A field that is absent is the empty text.
    if (request.get("x-blocked") != "") {
      const answer = [makeHeaderPair("content-type", "text/plain")];
      send_http_response(403, "", String.UTF8.encode("blocked\n"), answer);
      return FilterHeadersStatusValues.StopIteration;
    }
    // Adding to a field that is there would keep what the client sent.
    request.remove("x-intercepted");
    request.add("x-intercepted", "request");
    return FilterHeadersStatusValues.Continue;
  }

  onResponseHeaders(fields: u32, endOfStream: bool): FilterHeadersStatusValues {
    const response = stream_context.headers.response;
    response.remove("x-intercepted");
    response.add("x-intercepted", "response");
    return FilterHeadersStatusValues.Continue;
  }
}

registerRootContext((id: u32): RootContext => new Root(id), "interceptor");
