/* What happens to a request on its way to the upstream, and to the answer on its way back. */

#include "proxy_wasm.h"

#define ACTION_CONTINUE 0
#define ACTION_PAUSE 1

/* One call for the plugin, then one for each request: `parent` is 0 for the plugin. */
EXPORT("proxy_on_context_create") void on_context_create(uint32_t context, uint32_t parent) {
    (void)context;
    (void)parent;
}

EXPORT("proxy_on_request_headers") uint32_t on_request_headers(uint32_t context, uint32_t fields, uint32_t end_of_stream) {
    (void)context;
    (void)fields;
    (void)end_of_stream;
    /* Names are in lower case. */
    if (has_field(REQUEST_HEADERS, "x-blocked")) {
        answer(403, "content-type", "text/plain", "blocked\n");
        return ACTION_PAUSE;
    }
    set_field(REQUEST_HEADERS, "x-intercepted", "request");
    return ACTION_CONTINUE;
}

EXPORT("proxy_on_response_headers") uint32_t on_response_headers(uint32_t context, uint32_t fields, uint32_t end_of_stream) {
    (void)context;
    (void)fields;
    (void)end_of_stream;
    set_field(RESPONSE_HEADERS, "x-intercepted", "response");
    return ACTION_CONTINUE;
}
